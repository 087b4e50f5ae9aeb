/* Which snapshots stay: the first, and an even cover of the whole run. */
#include "agent/retention.h"

#include "tests/support/agent_check.h"

#define SECOND UINT64_C(1000000000)

/* The clock that names files runs backwards: nothing may depend on it. */
static void add(uint64_t taken_ns, uint32_t sequence)
{
	la_retention_add((struct la_kept){ .taken_ns = taken_ns,
					   .utc_ns = -taken_ns,
					   .sequence = sequence });
}

static void test_first_and_newcomer_stay(void **state)
{
	struct la_kept victim = { .utc_ns = 5, .sequence = 6 };

	(void)state;
	la_retention_clear();
	assert_false(la_retention_thin(100, &victim));
	add(1, 1);
	assert_false(la_retention_thin(100, &victim));
	assert_int_equal(victim.sequence, 6);
	assert_int_equal(la_retention_count(), 1);
}

static void test_the_smallest_gap_goes(void **state)
{
	static const uint64_t times[] = { 0, 100, 105, 200, 300 };
	struct la_kept victim;

	(void)state;
	la_retention_clear();
	for (uint32_t i = 0; i < array_length(times); i++)
		add(times[i], i + 1);
	/* Without 105 the gap is 100, without 100 it is 105. */
	assert_true(la_retention_thin(400, &victim));
	assert_int_equal(victim.sequence, 3);
	assert_int_equal(victim.taken_ns, 105);
	assert_int_equal(la_retention_count(), 4);
}

static void test_of_equal_gaps_the_oldest_goes(void **state)
{
	struct la_kept victim;

	(void)state;
	la_retention_clear();
	for (uint32_t i = 0; i < 5; i++)
		add(i * 10, i + 1);
	assert_true(la_retention_thin(50, &victim));
	assert_int_equal(victim.sequence, 2);
}

static void test_down_to_the_first(void **state)
{
	struct la_kept victim;

	(void)state;
	la_retention_clear();
	for (uint32_t i = 1; i <= 300; i++)
		add(i * SECOND, i);
	for (uint32_t i = 1; i < 300; i++) {
		assert_true(la_retention_thin(301 * SECOND, &victim));
		assert_int_not_equal(victim.sequence, 1);
	}
	assert_int_equal(la_retention_count(), 1);
	assert_false(la_retention_thin(301 * SECOND, &victim));
}

/* Each victim is one of those that are there, and only once. */
static void test_victims_are_distinct(void **state)
{
	static bool gone[2001];
	uint64_t seed = 3, now = 0;

	(void)state;
	la_retention_clear();
	for (uint32_t i = 1; i <= 2000; i++) {
		struct la_kept victim;

		now += random_below(&seed, 100 * SECOND);
		while (la_retention_count() >= 20) {
			assert_true(la_retention_thin(now, &victim));
			assert_in_range(victim.sequence, 2, i - 1);
			assert_false(gone[victim.sequence]);
			gone[victim.sequence] = true;
		}
		add(now, i);
		assert_true(la_retention_count() <= 20);
	}
}

/*
 * Gaps between the kept files of a run with snapshots at regular times. The
 * last one is still growing: files between it and the newcomer go first.
 */
struct cover {
	uint32_t widest, narrowest, last;
};

static struct cover cover_of(const bool *gone, uint32_t count)
{
	struct cover cover = { 0, UINT32_MAX, 0 };
	uint32_t before = 1;

	for (uint32_t i = 2; i <= count; i++) {
		if (gone[i])
			continue;
		cover.last = i - before;
		before = i;
		if (i == count)
			break;
		if (cover.last > cover.widest)
			cover.widest = cover.last;
		if (cover.last < cover.narrowest)
			cover.narrowest = cover.last;
	}
	return cover;
}

static void assert_even_cover(uint32_t keep, uint32_t ticks)
{
	static bool gone[3001];

	la_retention_clear();
	for (uint32_t i = 1; i <= ticks; i++) {
		struct la_kept victim;
		struct cover cover;

		gone[i] = false;
		while (la_retention_count() >= keep &&
		       la_retention_thin(i * SECOND, &victim))
			gone[victim.sequence] = true;
		add(i * SECOND, i);
		assert_int_equal(la_retention_count(), i < keep ? i : keep);
		assert_false(gone[1]);
		if (i < 4)
			continue;
		cover = cover_of(gone, i);
		assert_true(cover.widest <= 3 * cover.narrowest);
		assert_true(cover.last <= 2 * cover.widest);
	}
}

static void test_even_cover(void **state)
{
	static const uint32_t keeps[] = { 4, 5, 6, 7, 8, 20, 60, 100 };

	(void)state;
	for (size_t i = 0; i < array_length(keeps); i++)
		assert_even_cover(keeps[i], 3000);
}

/* A few at least of the whole run, and not the same for ever. */
static void test_the_middle_of_three(void **state)
{
	uint32_t middle = 2;

	(void)state;
	la_retention_clear();
	for (uint32_t i = 0; i < 1000; i++) {
		struct la_kept victim;

		if (i >= 3) {
			assert_true(la_retention_thin(i * SECOND, &victim));
			assert_in_range(victim.sequence, 1, i - 1);
			middle = victim.sequence == middle ? i - 1 : middle;
			assert_true(3 * middle >= i);
		} else {
			middle = 1;
		}
		add(i * SECOND, i);
	}
	assert_true(middle > 300);
}

static void test_clear(void **state)
{
	struct la_kept victim;

	(void)state;
	add(1, 1);
	add(2, 2);
	la_retention_clear();
	assert_int_equal(la_retention_count(), 0);
	assert_false(la_retention_thin(10, &victim));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_and_newcomer_stay),
		cmocka_unit_test(test_the_smallest_gap_goes),
		cmocka_unit_test(test_of_equal_gaps_the_oldest_goes),
		cmocka_unit_test(test_down_to_the_first),
		cmocka_unit_test(test_victims_are_distinct),
		cmocka_unit_test(test_even_cover),
		cmocka_unit_test(test_the_middle_of_three),
		cmocka_unit_test(test_clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
