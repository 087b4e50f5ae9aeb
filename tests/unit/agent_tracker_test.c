/* build: -Wl,--wrap=la_stack_node */
/*
 * What becomes of the blocks that the tracker is told of, also when handlers
 * interrupt it. Blocks are made-up addresses.
 */
#define _GNU_SOURCE

#include "agent/estimates.h"
#include "agent/filter.h"
#include "agent/frames.h"
#include "agent/lock.h"
#include "agent/sampler.h"
#include "agent/snapshot.h"
#include "agent/stack.h"
#include "agent/tracker.h"
#include "agent/unwind.h"

#include "tests/support/agent_check.h"

#include <string.h>

#define NOINLINE __attribute__((noinline))

static struct la_state *state;

struct figures {
	uint64_t allocated, allocated_bytes, live, live_bytes;
};

static struct figures figures(void)
{
	struct figures sum = { 0 };
	struct la_snapshot snapshot;

	assert_int_equal(la_snapshot_take(&snapshot), 0);
	for (uint32_t site = 1; site <= snapshot.sites; site++) {
		sum.allocated += snapshot.allocated[site].objects;
		sum.allocated_bytes += snapshot.allocated[site].bytes;
		sum.live += snapshot.live[site].objects;
		sum.live_bytes += snapshot.live[site].bytes;
	}
	la_snapshot_free(&snapshot);
	return sum;
}

/* What has become more since `before`. */
static void assert_added(struct figures before, struct figures expected)
{
	struct figures now = figures();

	assert_int_equal(now.allocated - before.allocated, expected.allocated);
	assert_int_equal(now.allocated_bytes - before.allocated_bytes,
			 expected.allocated_bytes);
	assert_int_equal(now.live - before.live, expected.live);
	assert_int_equal(now.live_bytes - before.live_bytes,
			 expected.live_bytes);
}

static const void *block_at(uintptr_t address)
{
	return (const void *)address;
}

static void NOINLINE came(uintptr_t address, size_t bytes)
{
	la_track_block(state, block_at(address), bytes,
		       __builtin_frame_address(0));
	__asm__ volatile("" : : : "memory");
}

static bool went(uintptr_t address)
{
	struct la_block was;

	return la_untrack_block(state, block_at(address), &was);
}

static const uintptr_t somewhere = 0x7f1000000000;

/* ---- blocks ---- */

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

/* ---- handlers that interrupt the tracker ---- */

static void test_a_handler_allocates(void **unused)
{
	struct figures before = figures();

	(void)unused;
	la_tracker_begin(state);
	came(somewhere, 10);
	came(somewhere + 64, 1000);
	assert_added(before, (struct figures){ 0 });
	la_tracker_end(state);
	assert_added(before, (struct figures){ 2, 1010, 2, 1010 });
	assert_true(went(somewhere));
	assert_true(went(somewhere + 64));
}

static void test_a_handler_allocates_and_frees(void **unused)
{
	struct figures before = figures();

	(void)unused;
	la_tracker_begin(state);
	came(somewhere, 10);
	came(somewhere + 64, 1000);
	went(somewhere);
	came(somewhere, 30); /* the same address again */
	went(somewhere + 64);
	la_tracker_end(state);
	assert_added(before, (struct figures){ 3, 1040, 1, 30 });
	assert_true(went(somewhere));
	assert_added(before, (struct figures){ 3, 1040, 0, 0 });
}

static void test_a_handler_frees(void **unused)
{
	struct figures before = figures();

	(void)unused;
	came(somewhere, 10);
	came(somewhere + 64, 1000);
	la_tracker_begin(state);
	assert_true(went(somewhere));
	assert_true(went(somewhere + 64));
	la_tracker_end(state);
	assert_added(before, (struct figures){ 2, 1010, 0, 0 });
}

static void lock_heap(void (*change)(unsigned rank))
{
	for (unsigned part = 0; part < LA_HEAP_SHARDS; part++)
		change(LA_LOCK_HEAP + part);
}

/*
 * The handler has interrupted its thread in the table. Before the thread is
 * through, another one is given the addresses and records them.
 */
static void test_freed_where_its_thread_is(void **unused)
{
	static const struct la_block others[] = { { 20, 1 }, { 2000, 1 } };
	struct figures before = figures();
	struct la_block was;

	(void)unused;
	came(somewhere, 10);
	came(somewhere + 64, 1000);
	came(somewhere + 128, 3000);
	la_tracker_begin(state);
	lock_heap(la_lock);
	went(somewhere);
	went(somewhere + 64);
	went(somewhere + 128);
	lock_heap(la_unlock);
	for (size_t i = 0; i < array_length(others); i++)
		assert_true(la_live_insert(somewhere + 64 * i, others[i]));
	la_tracker_end(state);
	assert_added(before, (struct figures){ 3, 4010, 2, 2020 });
	for (size_t i = 0; i < array_length(others); i++) {
		assert_true(la_live_remove(somewhere + 64 * i, &was));
		assert_int_equal(was.bytes, others[i].bytes);
	}
	assert_added(before, (struct figures){ 3, 4010, 0, 0 });
}

/* What a second handler does while what the first did is being recorded. */
static void (*second_handler)(void);

uint32_t __real_la_stack_node(const uint32_t *frames,
			      struct la_capture capture);
uint32_t __wrap_la_stack_node(const uint32_t *frames,
			      struct la_capture capture);

uint32_t __wrap_la_stack_node(const uint32_t *frames,
			      struct la_capture capture)
{
	void (*handler)(void) = second_handler;

	second_handler = NULL;
	if (handler)
		handler();
	return __real_la_stack_node(frames, capture);
}

static void free_both(void)
{
	assert_true(state->tracking);
	went(somewhere);
	went(somewhere + 64);
}

/* One of them is being recorded, the other one waits. */
static void test_freed_while_it_is_recorded(void **unused)
{
	struct figures before = figures();

	(void)unused;
	la_tracker_begin(state);
	came(somewhere, 10);
	came(somewhere + 64, 1000);
	second_handler = free_both;
	la_tracker_end(state);
	assert_null(second_handler);
	assert_added(before, (struct figures){ 2, 1010, 0, 0 });
	assert_false(went(somewhere));
	assert_false(went(somewhere + 64));
}

static void replace(void)
{
	went(somewhere);
	came(somewhere, 20);
}

static void test_replaced_while_it_is_recorded(void **unused)
{
	struct figures before = figures();

	(void)unused;
	la_tracker_begin(state);
	came(somewhere, 10);
	second_handler = replace;
	la_tracker_end(state);
	assert_added(before, (struct figures){ 2, 30, 1, 20 });
	assert_true(went(somewhere));
	assert_added(before, (struct figures){ 2, 30, 0, 0 });
}

static void test_more_than_can_wait(void **unused)
{
	enum { MANY = 200 };
	struct figures before = figures(), now;
	uint64_t drops = la_drops();

	(void)unused;
	la_tracker_begin(state);
	for (uintptr_t i = 0; i < MANY; i++)
		came(somewhere + 64 * i, 10);
	la_tracker_end(state);
	now = figures();
	drops = la_drops() - drops;
	assert_in_range(drops, 1, MANY - 1);
	assert_int_equal(now.allocated - before.allocated, MANY - drops);
	for (uintptr_t i = 0; i < MANY; i++)
		went(somewhere + 64 * i);
	assert_int_equal(figures().live, before.live);
}

/* ---- sampled ---- */

static void nothing(void)
{
}

/* So closely that of large blocks none is missed; in a process of its own. */
static int sampled_in_a_handler(void)
{
	struct figures before;
	struct la_block was;

	if (la_filter_boot(nothing))
		return 1;
	la_sampler_boot(1, 1);
	la_tracker_set_mode(LA_MODE_ON);
	/* Those that were made before blocks were sampled have no room. */
	for (uint32_t site = 1; site <= la_sites_total(); site++)
		if (!la_estimates_reserve(site))
			return 1;
	before = figures();
	la_tracker_begin(state);
	came(somewhere, 1000);
	came(somewhere + 64, 1000);
	went(somewhere);
	la_tracker_end(state);
	if (la_live_remove(somewhere, &was))
		return 2;
	if (!la_live_remove(somewhere + 64, &was))
		return 3;
	return figures().live == before.live ? 0 : 4;
}

static void test_sampled_in_a_handler(void **unused)
{
	(void)unused;
	assert_int_equal(in_child(sampled_in_a_handler), 0);
}

static int boot(void **unused)
{
	(void)unused;
	if (la_state_boot() || la_unwind_boot() || la_modules_boot() ||
	    la_frames_boot() || la_sites_boot())
		return -1;
	state = la_state_get();
	la_tracker_set_mode(LA_MODE_ON);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_of_all_sizes),
		cmocka_unit_test(test_sizes_that_are_corrected),
		cmocka_unit_test(test_a_realloc_that_fails),
		cmocka_unit_test(test_off_and_on),
		cmocka_unit_test(test_a_handler_allocates),
		cmocka_unit_test(test_a_handler_allocates_and_frees),
		cmocka_unit_test(test_a_handler_frees),
		cmocka_unit_test(test_freed_where_its_thread_is),
		cmocka_unit_test(test_freed_while_it_is_recorded),
		cmocka_unit_test(test_replaced_while_it_is_recorded),
		cmocka_unit_test(test_more_than_can_wait),
		cmocka_unit_test(test_sampled_in_a_handler),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
