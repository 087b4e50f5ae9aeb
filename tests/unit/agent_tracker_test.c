/*
 * What becomes of the blocks that the tracker is told of. When handlers
 * interrupt it: agent_tracker_handlers_test.
 */
#define _GNU_SOURCE

#include "tests/support/tracked_blocks.h"

static void test_blocks_of_all_sizes(void **unused)
{
	static const size_t sizes[] = { 0, 1, 255, 256, 257, 4096,
					(size_t)UINT32_MAX + 5 };
	struct figures before = figures();
	uint64_t bytes = 0;

	(void)unused;
	for (size_t i = 0; i < array_length(sizes); i++) {
		came(somewhere + 64 * i, sizes[i]);
		bytes += sizes[i];
	}
	assert_added(before, (struct figures){ array_length(sizes), bytes,
					       array_length(sizes), bytes });
	for (size_t i = 0; i < array_length(sizes); i++)
		assert_true(went(somewhere + 64 * i));
	assert_added(before,
		     (struct figures){ array_length(sizes), bytes, 0, 0 });
	assert_false(went(somewhere));
}

/* The program asked for less than an inner call did. */
static void test_sizes_that_are_corrected(void **unused)
{
	static const struct {
		size_t inner, outer;
	} pairs[] = { { 1, 0 },	    { 32, 17 },	    { 256, 250 },
		      { 512, 255 }, { 4096, 4001 }, { 256, 0 } };
	struct figures before = figures();
	uint64_t bytes = 0;

	(void)unused;
	for (size_t i = 0; i < array_length(pairs); i++) {
		came(somewhere + 64 * i, pairs[i].inner);
		la_track_size(state, block_at(somewhere + 64 * i),
			      pairs[i].outer);
		bytes += pairs[i].outer;
	}
	assert_added(before, (struct figures){ array_length(pairs), bytes,
					       array_length(pairs), bytes });
	/* Whoever sums up meanwhile never sees less than nothing. */
	for (uint32_t site = 1; site <= la_sites_total(); site++)
		assert_in_range(la_site_at(site)->allocated.bytes, 0,
				INT64_MAX);
	for (size_t i = 0; i < array_length(pairs); i++)
		assert_true(went(somewhere + 64 * i));
	assert_added(before,
		     (struct figures){ array_length(pairs), bytes, 0, 0 });
}

static void test_a_realloc_that_fails(void **unused)
{
	struct figures before = figures();
	struct la_block was;

	(void)unused;
	came(somewhere, 100);
	came(somewhere + 64, 1000);
	for (int i = 0; i < 2; i++) {
		const void *block = block_at(somewhere + (uintptr_t)(64 * i));

		assert_true(la_untrack_block(state, block, &was));
		la_retrack_block(state, block, &was);
	}
	assert_added(before, (struct figures){ 2, 1100, 2, 1100 });
	assert_true(went(somewhere));
	assert_true(went(somewhere + 64));
	assert_added(before, (struct figures){ 2, 1100, 0, 0 });
}

/* While it is off, nothing comes, but what was there may go. */
static void test_off_and_on(void **unused)
{
	struct figures before = figures();

	(void)unused;
	came(somewhere, 10);
	came(somewhere + 64, 1000);
	la_tracker_set_mode(LA_MODE_OFF);
	came(somewhere + 128, 10);
	assert_true(went(somewhere));
	assert_true(went(somewhere + 64));
	assert_false(went(somewhere + 128));
	la_tracker_set_mode(LA_MODE_ON);
	assert_added(before, (struct figures){ 2, 1010, 0, 0 });
	came(somewhere, 20);
	assert_true(went(somewhere));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_of_all_sizes),
		cmocka_unit_test(test_sizes_that_are_corrected),
		cmocka_unit_test(test_a_realloc_that_fails),
		cmocka_unit_test(test_off_and_on),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
