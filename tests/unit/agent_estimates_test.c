/* What sampled blocks stand for, by site; counted by several threads. */
/* build: -lm */
#define _GNU_SOURCE /* feenableexcept */

#include "agent/estimates.h"

#include "agent/sampler.h"

#include "tests/support/agent_check.h"

#include <fenv.h>
#include <math.h>
#include <string.h>

static void assert_close(double got, double expected)
{
	if (fabs(got - expected) > 1e-12 * expected)
		fail_msg("%.17g, and not %.17g", got, expected);
}

static void test_a_block_stands_for_others(void **state)
{
	static const uint64_t sizes[] = { 1, 100, 4096, 1000000 };
	struct la_estimate estimate = { 0 };
	double objects = 0, bytes = 0, of_objects = 0, of_bytes = 0;

	(void)state;
	for (unsigned i = 0; i < array_length(sizes); i++) {
		double size = (double)sizes[i];
		double chance = -expm1(-size / 4096);
		double variance = (1 - chance) / chance / chance;

		la_estimate_add(&estimate, sizes[i], 4096);
		objects += 1 / chance;
		bytes += size / chance;
		of_objects += variance;
		of_bytes += variance * size * size;
		assert_close(estimate.objects, objects);
		assert_close(estimate.bytes, bytes);
		assert_close(estimate.objects_variance, of_objects);
		assert_close(estimate.bytes_variance, of_bytes);
	}
}

static void test_exact_blocks_have_no_variance(void **state)
{
	struct la_estimate estimate = { 0 };

	(void)state;
	la_estimate_add(&estimate, 10, 0);
	la_estimate_add(&estimate, 0, 0);
	assert_true(estimate.objects == 2 && estimate.bytes == 10);
	assert_true(estimate.objects_variance == 0 &&
		    estimate.bytes_variance == 0);
}

static struct la_estimate of(uint32_t site)
{
	struct la_estimate *copied = calloc(site + 1, sizeof(*copied));
	struct la_estimate estimate;

	la_estimates_copy(copied, site);
	estimate = copied[site];
	free(copied);
	return estimate;
}

static void test_sites_without_room_are_zeros(void **state)
{
	struct la_estimate copied[12];

	(void)state;
	assert_true(la_estimates_reserve(10));
	memset(copied, 0, sizeof(copied));
	la_estimates_add(10, 10, 0);
	la_estimates_copy(copied, 11);
	for (uint32_t site = 1; site < array_length(copied); site++)
		assert_true(copied[site].objects == (site == 10));
	/* No further than asked for. */
	copied[10].objects = 77;
	la_estimates_copy(copied, 9);
	assert_true(copied[10].objects == 77);
}

enum { THREADS = 4, SITES = 3000, ROUNDS = 5 };

/* Each makes room, too; sums of whole numbers are the same in any order. */
static void add_all(unsigned number)
{
	for (uint32_t i = 0; i < SITES * ROUNDS; i++) {
		uint32_t site = 100 + (i + number * 700) % SITES;

		note_unless(la_estimates_reserve(site));
		la_estimates_add(site, site, 0);
	}
}

static void test_threads_add(void **state)
{
	struct la_estimate *copied =
		calloc(100 + SITES, sizeof(struct la_estimate));

	(void)state;
	crew(THREADS, add_all);
	la_estimates_copy(copied, 100 + SITES - 1);
	for (uint32_t site = 100; site < 100 + SITES; site++) {
		assert_true(copied[site].objects == THREADS * ROUNDS);
		assert_true(copied[site].bytes == THREADS * ROUNDS * site);
	}
	free(copied);
}

static int add_under_traps(void)
{
	feclearexcept(FE_ALL_EXCEPT);
	feenableexcept(FE_ALL_EXCEPT);
	la_estimates_add(50, 100, 4096);
	if (la_sampler_scale(100, 4096) != 4146 ||
	    la_sampler_scale(100, 0) != 100 || fetestexcept(FE_ALL_EXCEPT))
		return 1;
	fedisableexcept(FE_ALL_EXCEPT);
	return fabs(of(50).bytes - 4146.2) < 1 ? 0 : 2;
}

static void test_hosts_with_traps(void **state)
{
	(void)state;
	assert_true(la_estimates_reserve(50));
	assert_int_equal(in_child(add_under_traps), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_block_stands_for_others),
		cmocka_unit_test(test_exact_blocks_have_no_variance),
		cmocka_unit_test(test_sites_without_room_are_zeros),
		cmocka_unit_test(test_threads_add),
		cmocka_unit_test(test_hosts_with_traps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
