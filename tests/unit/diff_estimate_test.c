/* Variances of sampled figures, and when a figure is more than noise. */
#include "diff/estimate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

static void assert_pair(struct estimate_pair pair, double allocated,
			double growth)
{
	assert_true(estimate_allocated(&pair) == allocated);
	assert_true(estimate_growth(&pair) == growth);
}

/* live before and after; ever allocated before and after */
#define PAIR(...) ((struct estimate_pair){__VA_ARGS__})

static void test_one_process(void **state)
{
	(void)state;
	/* nothing happened */
	assert_pair(PAIR(9, 9, 20, 20, true, true), 0, 0);
	/* all that came is live, nothing went */
	assert_pair(PAIR(9, 13, 20, 24, true, true), 4, 4);
	/* nothing came, some went */
	assert_pair(PAIR(9, 5, 20, 20, true, true), 0, 4);
	/* as much came as is live: it may be all of it */
	assert_pair(PAIR(9, 5, 20, 25, true, true), 5, 14);
	/* more came than is live */
	assert_pair(PAIR(9, 5, 20, 90, true, true), 70, 14);
	/* no more can have stayed than was live */
	assert_pair(PAIR(9, 25, 20, 30, true, true), 10, 16);
}

static void test_time_turned_round(void **state)
{
	(void)state;
	assert_pair(PAIR(13, 9, 24, 20, true, true), 4, 4);
	assert_pair(PAIR(5, 9, 20, 20, true, true), 0, 4);
	assert_pair(PAIR(5, 9, 25, 20, true, true), 5, 14);
	assert_pair(PAIR(25, 9, 30, 20, true, true), 10, 16);
}

static void test_other_samples(void **state)
{
	(void)state;
	assert_pair(PAIR(9, 9, 20, 20, true, false), 0, 18);
	assert_pair(PAIR(9, 13, 20, 24, false, true), 44, 22);
	/* of a single snapshot, or after an exact one */
	assert_pair(PAIR(0, 13, 0, 24, false, false), 24, 13);
}

static void test_exact(void **state)
{
	(void)state;
	assert_pair(PAIR(0, 0, 0, 0, true, true), 0, 0);
	assert_false(estimate_is_noise(0, 0));
	assert_false(estimate_is_noise(1, 0));
	assert_true(estimate_at_least(INT64_MAX, 0) == INT64_MAX);
	assert_true(estimate_at_least(INT64_MIN, 0) == INT64_MIN);
	assert_true(estimate_margin(0) == 0);
}

static void test_noise(void **state)
{
	(void)state;
	assert_true(estimate_margin(25) == 10);
	assert_true(estimate_is_noise(0, 25));
	assert_true(estimate_is_noise(9, 25));
	assert_true(estimate_is_noise(-9, 25));
	assert_false(estimate_is_noise(10, 25));
	assert_false(estimate_is_noise(-10, 25));
	assert_true(estimate_is_noise(INT64_MIN, 1e40));
}

static void test_at_least(void **state)
{
	(void)state;
	assert_int_equal(estimate_at_least(30, 25), 20);
	assert_int_equal(estimate_at_least(11, 25), 1);
	assert_int_equal(estimate_at_least(10, 25), 0);
	assert_int_equal(estimate_at_least(-30, 25), 0);
	assert_int_equal(estimate_at_least(INT64_MAX, 1e40), 0);
	assert_int_equal(estimate_at_least(INT64_MAX, INFINITY), 0);
	assert_int_equal(estimate_at_least(INT64_MAX, 0.25), INT64_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_process),
		cmocka_unit_test(test_time_turned_round),
		cmocka_unit_test(test_other_samples),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_at_least),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
