/* The numbers that stand for stacks, against their plain definition. */
#include "agent/way.h"

#include "tests/support/agent_check.h"

#include <stdlib.h>

enum { MOST = 300 };

static uint32_t some_frames[MOST];

static la_way way_of(la_way way, const uint32_t *frames, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		way = la_way_on(way, frames[i]);
	return way;
}

static int make_frames(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (unsigned i = 0; i < MOST; i++) {
		seed = seed * UINT64_C(6364136223846793005) + 1;
		some_frames[i] = (uint32_t)(seed >> 34);
	}
	return 0;
}

static void test_one_step(void **state)
{
	la_way way = LA_WAY_WHOLE;

	(void)state;
	for (unsigned i = 0; i < MOST; i++) {
		unsigned __int128 plain =
			((unsigned __int128)way * LA_WAY_BASE +
			 some_frames[i]) % LA_WAY_PRIME;

		way = la_way_on(way, some_frames[i]);
		assert_int_equal(way, (uint64_t)plain);
	}
}

static void test_largest_numbers(void **state)
{
	const uint64_t most = LA_WAY_PRIME - 1;

	(void)state;
	assert_int_equal(la_way_times(most, most), 1);
	assert_int_equal(la_way_modulo(LA_WAY_PRIME), 0);
	assert_int_equal(la_way_modulo(UINT64_MAX), UINT64_MAX % LA_WAY_PRIME);
}

/* What is left of a stack depends on no frame further out. */
static void test_truncated(void **state)
{
	(void)state;
	for (unsigned kept = 1; kept < MOST; kept += 7) {
		unsigned outer = MOST - kept;
		la_way expected = way_of(LA_WAY_TRUNCATED, some_frames + outer,
					 kept);

		for (unsigned from = 0; from < outer; from += 13) {
			la_way left_out = way_of(LA_WAY_WHOLE,
						 some_frames + from,
						 outer - from);
			la_way whole = way_of(left_out, some_frames + outer,
					      kept);

			assert_int_equal(la_way_truncated(whole, left_out,
							  la_way_power(kept)),
					 expected);
		}
	}
}

static int compare(const void *a, const void *b)
{
	const la_way *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* All stacks of up to 4 of 16 frames, whole and truncated: no two are alike. */
static void test_others_are_others(void **state)
{
	enum { FRAMES = 16, STACKS = 2 * (1 + 16 + 256 + 4096 + 65536) };
	la_way *ways = test_malloc(STACKS * sizeof(*ways));
	unsigned made = 0, level = 0;

	(void)state;
	ways[made++] = LA_WAY_WHOLE;
	ways[made++] = LA_WAY_TRUNCATED;
	while (made < STACKS) {
		unsigned end = made;

		for (; level < end; level++)
			for (uint32_t frame = 1; frame <= FRAMES; frame++)
				ways[made++] = la_way_on(ways[level], frame);
	}
	qsort(ways, STACKS, sizeof(*ways), compare);
	for (unsigned i = 1; i < STACKS; i++)
		assert_int_not_equal(ways[i], ways[i - 1]);
	test_free(ways);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_step),
		cmocka_unit_test(test_largest_numbers),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_others_are_others),
	};

	return cmocka_run_group_tests(tests, make_frames, NULL);
}
