/*
 * Which blocks are sampled: as often as they should be, independently of each
 * other, repeatably; and estimates that come of it. Seeds are fixed, so that
 * what holds once holds always.
 */
/* build: -lm */
#define _GNU_SOURCE /* feenableexcept */

#include "agent/sampler.h"

#include "agent/arch.h"

#include "tests/support/agent_check.h"

#include <fenv.h>
#include <math.h>
#include <string.h>

enum { SEEDS = 100 };

/* ---- chances ---- */

static void assert_chance(uint64_t bytes, uint64_t interval)
{
	long double true_one =
		-expm1l(-(long double)bytes / (long double)interval);
	long double got = (long double)la_sampler_chance(bytes, interval);

	if (fabsl(got - true_one) > 1e-14L * true_one)
		fail_msg("%lu bytes at %lu: %.17Lg, and not %.17Lg", bytes,
			 interval, got, true_one);
}

static void test_chances(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (uint64_t bytes = 1; bytes < UINT64_C(1) << 47; bytes *= 2)
		for (uint64_t interval = 1; interval <= LA_SAMPLER_MOST;
		     interval *= 2) {
			assert_chance(bytes, interval);
			assert_chance(bytes + random_below(&random, bytes),
				      interval +
					      random_below(&random, interval));
		}
}

static void test_chances_that_are_certain(void **state)
{
	(void)state;
	assert_true(la_sampler_chance(0, 0) == 1);
	assert_true(la_sampler_chance(1, 0) == 1);
	assert_true(la_sampler_chance(UINT64_MAX, 1) == 1);
	assert_true(la_sampler_chance(UINT64_MAX, LA_SAMPLER_MOST) == 1);
	/* An empty block is as likely as one of a byte. */
	assert_true(la_sampler_chance(0, 4096) == la_sampler_chance(1, 4096));
}

/* ---- sampling ---- */

static void test_every_block_without_an_interval(void **state)
{
	struct la_sampler sampler = { 0 };

	(void)state;
	la_sampler_boot(0, 1);
	for (uint64_t i = 0; i < 1000; i++)
		assert_true(la_sampler_takes(&sampler, i % 100));
	assert_true(la_sampler_takes(&sampler, UINT64_C(1) << 47));
	assert_true(la_sampler_takes(&sampler, 0));
}

/* Blocks of one size: how many are sampled, and how many runs of two are. */
struct tally {
	unsigned blocks, taken, twice;
};

static struct tally take_many(uint64_t interval, uint64_t seed, uint64_t bytes,
			      unsigned blocks)
{
	struct la_sampler sampler = { 0 };
	struct tally tally = { .blocks = blocks };
	bool last = false;

	la_sampler_boot(interval, seed);
	for (unsigned i = 0; i < blocks; i++) {
		bool taken = la_sampler_takes(&sampler, bytes);

		tally.taken += taken;
		tally.twice += taken && last;
		last = taken;
	}
	return tally;
}

/* Within 4.5 standard deviations: 1 of 150,000 right ones would not be. */
static void assert_binomial(unsigned count, unsigned of, double chance)
{
	double error = sqrt(of * chance * (1 - chance));

	if (fabs(count - of * chance) > 4.5 * error + 1)
		fail_msg("%u of %u, where %.1f +- %.1f were expected", count,
			 of, of * chance, error);
}

static void test_blocks_are_taken_as_often_as_they_should(void **state)
{
	static const uint64_t sizes[] = { 1,    16,    100,    1000,
					  4096, 10000, 100000, 1000000 };
	static const uint64_t intervals[] = { 1, 2, 100, 4096, 65536, 524288 };

	(void)state;
	for (unsigned i = 0; i < array_length(sizes); i++)
		for (unsigned j = 0; j < array_length(intervals); j++) {
			struct tally tally = take_many(
				intervals[j], 1 + i, sizes[i], 1000 * 1000);
			double chance = la_sampler_chance(sizes[i],
							  intervals[j]);

			assert_binomial(tally.taken, tally.blocks, chance);
			/* One block says nothing about the next. */
			assert_binomial(tally.twice, tally.taken, chance);
		}
}

/* The very first block of a thread is nothing special. */
static void test_first_blocks(void **state)
{
	enum { THREADS = 100 * 1000, BLOCKS = 4 };
	unsigned taken[BLOCKS] = { 0 };

	(void)state;
	la_sampler_boot(4096, 7);
	for (unsigned thread = 0; thread < THREADS; thread++) {
		struct la_sampler sampler = { 0 };

		for (unsigned i = 0; i < BLOCKS; i++)
			taken[i] += la_sampler_takes(&sampler, 500);
	}
	for (unsigned i = 0; i < BLOCKS; i++)
		assert_binomial(taken[i], THREADS, la_sampler_chance(500, 4096));
}

static void fill(struct la_sampler *sampler, bool taken[1000])
{
	for (unsigned i = 0; i < 1000; i++)
		taken[i] = la_sampler_takes(sampler, 100);
}

static void test_seeds_repeat(void **state)
{
	struct la_sampler first = { 0 }, second = { 0 }, again = { 0 };
	struct la_sampler other = { 0 }, unknown = { 0 }, unknown_too = { 0 };
	bool a[1000], b[1000];

	(void)state;
	la_sampler_boot(1000, 5);
	fill(&first, a);
	fill(&second, b);
	assert_memory_not_equal(a, b, sizeof(a));
	la_sampler_boot(1000, 5);
	fill(&again, b);
	assert_memory_equal(a, b, sizeof(a));
	la_sampler_boot(1000, 6);
	fill(&other, b);
	assert_memory_not_equal(a, b, sizeof(a));
	/* Without a seed, no two processes are alike. */
	la_sampler_boot(1000, 0);
	fill(&unknown, a);
	la_sampler_boot(1000, 0);
	fill(&unknown_too, b);
	assert_memory_not_equal(a, b, sizeof(a));
}

static void test_the_largest_interval(void **state)
{
	struct tally tally = take_many(LA_SAMPLER_MOST, 3,
				       LA_SAMPLER_MOST / 2, 10000);

	(void)state;
	assert_binomial(tally.taken, tally.blocks,
			la_sampler_chance(LA_SAMPLER_MOST / 2,
					  LA_SAMPLER_MOST));
}

/* ---- estimates ---- */

/* Callsites that hold 64 intervals or more, in blocks of one size or of many. */
enum { INTERVAL = 64 * 1024, CALLSITES = 8, OF_ONE_SIZE = 6 };

static double to_hold(unsigned callsite)
{
	return 64.0 * INTERVAL * (1 + callsite);
}

static uint64_t size_at(unsigned callsite, uint64_t *random)
{
	static const uint64_t sizes[OF_ONE_SIZE] = { 200000, 16,    100,
						     1000,   10000, 50000 };

	if (callsite < OF_ONE_SIZE)
		return sizes[callsite];
	return callsite % 2 ? 1 + random_below(random, 5000) :
			      UINT64_C(16) << random_below(random, 15);
}

struct sum {
	double estimate, variance, truth;
};

static void add_block(struct sum *sum, double value, double chance, bool taken)
{
	sum->truth += value;
	if (!taken)
		return;
	sum->estimate += value / chance;
	sum->variance += value * value * (1 - chance) / chance / chance;
}

struct callsite {
	struct sum bytes, objects;
};

static void add_to(struct callsite *callsite, uint64_t bytes, bool taken)
{
	double chance = la_sampler_chance(bytes, INTERVAL);

	add_block(&callsite->bytes, (double)bytes, chance, taken);
	add_block(&callsite->objects, 1, chance, taken);
}

/* All callsites allocate in turns on one thread. */
static void allocate(uint64_t seed, struct callsite callsites[CALLSITES])
{
	struct la_sampler sampler = { 0 };
	uint64_t random = seed;
	unsigned full;

	la_sampler_boot(INTERVAL, seed);
	memset(callsites, 0, CALLSITES * sizeof(*callsites));
	do {
		full = 0;
		for (unsigned i = 0; i < CALLSITES; i++) {
			uint64_t bytes = size_at(i, &random);

			if (callsites[i].bytes.truth < to_hold(i))
				add_to(&callsites[i], bytes,
				       la_sampler_takes(&sampler, bytes));
			else
				full++;
		}
	} while (full < CALLSITES);
}

struct judged {
	unsigned pairs, near;
	double sum; /* of differences, relative to the truth */
};

static void judge(struct judged *judged, const struct sum *sum)
{
	double difference = sum->estimate - sum->truth;

	judged->pairs++;
	judged->near += fabs(difference) <= 3 * sqrt(sum->variance);
	judged->sum += difference / sum->truth;
}

static void assert_near(const struct judged *judged)
{
	if (judged->near * 100 < judged->pairs * 99)
		fail_msg("only %u of %u are within three errors", judged->near,
			 judged->pairs);
}

/*
 * Of 64 samples, the mean is within 1/8 of the truth as a rule; so the mean of
 * all seeds is within 1/80, and practically always within 1/20.
 */
static void assert_unbiased(const struct judged *judged)
{
	if (fabs(judged->sum / judged->pairs) > 1.0 / 20)
		fail_msg("off by %f on average", judged->sum / judged->pairs);
}

static void test_estimates_lie_near_the_truth(void **state)
{
	struct judged bytes = { 0 }, objects = { 0 };
	struct judged each[CALLSITES] = { 0 };

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct callsite callsites[CALLSITES];

		allocate(seed, callsites);
		for (unsigned i = 0; i < CALLSITES; i++) {
			judge(&bytes, &callsites[i].bytes);
			judge(&each[i], &callsites[i].bytes);
			/* Where few small blocks are most of the objects, no
			 * sample tells how many there are. */
			if (i < OF_ONE_SIZE)
				judge(&objects, &callsites[i].objects);
		}
	}
	assert_near(&bytes);
	assert_near(&objects);
	for (unsigned i = 0; i < CALLSITES; i++)
		assert_unbiased(&each[i]);
}

/* ---- thinning ---- */

static void test_thinned_samples_are_samples(void **state)
{
	static const uint64_t sizes[] = { 1, 100, 3000, 100000 };
	static const uint64_t intervals[] = { 0, 1, 64, 1000, 65536 };
	enum { BLOCKS = 200 * 1000 };
	uint64_t random = la_sampler_random();

	(void)state;
	for (unsigned i = 0; i < array_length(sizes); i++)
		for (unsigned from = 0; from < array_length(intervals); from++)
			for (unsigned to = from + 1;
			     to < array_length(intervals); to++) {
				unsigned kept = 0;

				for (unsigned n = 0; n < BLOCKS; n++)
					kept += la_sampler_keep(
						&random, sizes[i],
						intervals[from],
						intervals[to]);
				assert_binomial(
					kept, BLOCKS,
					la_sampler_chance(sizes[i],
							  intervals[to]) /
						la_sampler_chance(
							sizes[i],
							intervals[from]));
			}
}

static void test_nothing_is_thinned_at_the_same_interval(void **state)
{
	uint64_t random = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		assert_true(la_sampler_keep(&random, 1, 4096, 4096));
		assert_true(la_sampler_keep(&random, 1, 4096, 64));
		assert_true(la_sampler_keep(&random, 1, 0, 0));
	}
}

/* ---- a host's floating point ---- */

static int work_under_traps(void)
{
	struct la_sampler sampler = { 0 };
	uint64_t random = 1;
	unsigned kept = 0, taken = 0;

	la_sampler_boot(1000, 1);
	fesetround(FE_UPWARD);
	feclearexcept(FE_ALL_EXCEPT);
	feenableexcept(FE_ALL_EXCEPT);
	for (unsigned i = 0; i < 10000; i++) {
		taken += la_sampler_takes(&sampler, i % 300);
		kept += la_sampler_keep(&random, i % 300, 0, 1000);
	}
	if (fegetexcept() != FE_ALL_EXCEPT || fegetround() != FE_UPWARD ||
	    fetestexcept(FE_ALL_EXCEPT))
		return 1;
	return taken && kept ? 0 : 2;
}

static void test_hosts_with_traps(void **state)
{
	(void)state;
	assert_int_equal(in_child(work_under_traps), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chances),
		cmocka_unit_test(test_chances_that_are_certain),
		cmocka_unit_test(test_every_block_without_an_interval),
		cmocka_unit_test(test_blocks_are_taken_as_often_as_they_should),
		cmocka_unit_test(test_first_blocks),
		cmocka_unit_test(test_seeds_repeat),
		cmocka_unit_test(test_the_largest_interval),
		cmocka_unit_test(test_estimates_lie_near_the_truth),
		cmocka_unit_test(test_thinned_samples_are_samples),
		cmocka_unit_test(test_nothing_is_thinned_at_the_same_interval),
		cmocka_unit_test(test_hosts_with_traps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
