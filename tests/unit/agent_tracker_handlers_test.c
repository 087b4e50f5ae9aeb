/* build: -Wl,--wrap=la_stack_node */
/*
 * What becomes of the blocks and mappings that the tracker is told of by signal
 * handlers that have interrupted it, and each other.
 */
#define _GNU_SOURCE

#include "agent/estimates.h"
#include "agent/filter.h"
#include "agent/lock.h"
#include "agent/sampler.h"
#include "agent/stack.h"

#include "tests/support/tracked_blocks.h"

/* ---- blocks ---- */

static void lock_heap(void (*change)(unsigned rank))
{
	for (unsigned part = 0; part < LA_HEAP_SHARDS; part++)
		change(LA_LOCK_HEAP + part);
}

/* Recorded at once, so that other threads may do with the blocks what they like. */
static void test_a_handler_allocates(void **unused)
{
	struct figures before = figures();

	(void)unused;
	la_tracker_begin(state);
	came(somewhere, 10);
	came(somewhere + 64, 1000);
	assert_added(before, (struct figures){ 2, 1010, 2, 1010 });
	assert_true(went(somewhere));
	came(somewhere, 30); /* the same address again */
	la_tracker_end(state);
	assert_added(before, (struct figures){ 3, 1040, 2, 1030 });
	assert_true(went(somewhere));
	assert_true(went(somewhere + 64));
	assert_added(before, (struct figures){ 3, 1040, 0, 0 });
}

enum { MANY = 1500 }; /* more than can wait */

static void many_come(void)
{
	for (uintptr_t i = 0; i < MANY; i++)
		came(somewhere + 64 * i, 10);
}

/* However many; they need no room for longer than that. */
static void test_a_handler_allocates_much(void **unused)
{
	struct figures before = figures();
	uint64_t drops = la_drops();

	(void)unused;
	la_tracker_begin(state);
	many_come();
	assert_added(before,
		     (struct figures){ MANY, 10 * MANY, MANY, 10 * MANY });
	la_tracker_end(state);
	for (uintptr_t i = 0; i < MANY; i++)
		assert_true(went(somewhere + 64 * i));
	assert_added(before, (struct figures){ MANY, 10 * MANY, 0, 0 });
	assert_int_equal(la_drops(), drops);
}

static void lock_heap_and(void (*handler)(void))
{
	la_tracker_begin(state);
	lock_heap(la_lock);
	handler();
	lock_heap(la_unlock);
	la_tracker_end(state);
}

static void two_come(void)
{
	came(somewhere, 10);
	came(somewhere + 64, 1000);
}

/* The handler has interrupted its thread in the table. */
static void test_a_handler_allocates_in_the_table(void **unused)
{
	struct figures before = figures();

	(void)unused;
	lock_heap_and(two_come);
	assert_added(before, (struct figures){ 2, 1010, 2, 1010 });
	assert_true(went(somewhere));
	assert_true(went(somewhere + 64));
}

/* The lock is free again, but handlers keep the thread from going on. */
static void test_a_handler_records_what_waited(void **unused)
{
	struct figures before = figures();

	(void)unused;
	la_tracker_begin(state);
	lock_heap(la_lock);
	two_come();
	lock_heap(la_unlock);
	came(somewhere + 128, 500);
	assert_added(before, (struct figures){ 3, 1510, 3, 1510 });
	for (uintptr_t i = 0; i < 3; i++)
		assert_true(went(somewhere + 64 * i));
	la_tracker_end(state);
	assert_added(before, (struct figures){ 3, 1510, 0, 0 });
}

static void they_come_and_go(void)
{
	two_come();
	went(somewhere);
	came(somewhere, 30); /* the same address again */
	went(somewhere + 64);
}

static void test_a_handler_allocates_and_frees(void **unused)
{
	struct figures before = figures();

	(void)unused;
	lock_heap_and(they_come_and_go);
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

/* The part of the table that a block is in. */
static unsigned part_of(uintptr_t address)
{
	for (unsigned part = 0; part < LA_HEAP_SHARDS; part++) {
		bool here;

		la_lock(LA_LOCK_HEAP + part);
		here = la_heap_busy(address);
		la_unlock(LA_LOCK_HEAP + part);
		if (here)
			return part;
	}
	return LA_HEAP_SHARDS;
}

static pthread_barrier_t part_is_taken, part_is_wanted;

static void *have_part(void *argument)
{
	unsigned rank = *(unsigned *)argument;

	la_lock(rank);
	pthread_barrier_wait(&part_is_taken);
	/* As if it waited for the other one's part. */
	pthread_barrier_wait(&part_is_wanted);
	la_unlock(rank);
	return NULL;
}

/*
 * The thread was interrupted in one part of the table, and the handler wants
 * another one, which a thread has that may wait for the first.
 */
static void test_freed_while_another_has_the_part(void **unused)
{
	struct figures before = figures();
	unsigned part = part_of(somewhere);
	unsigned wanted = LA_LOCK_HEAP + part;
	unsigned own = LA_LOCK_HEAP + (part + 1) % LA_HEAP_SHARDS;
	pthread_t other;

	(void)unused;
	assert_true(part < LA_HEAP_SHARDS);
	pthread_barrier_init(&part_is_taken, NULL, 2);
	pthread_barrier_init(&part_is_wanted, NULL, 2);
	came(somewhere, 1000);
	assert_int_equal(pthread_create(&other, NULL, have_part, &wanted), 0);
	pthread_barrier_wait(&part_is_taken);
	la_tracker_begin(state);
	la_lock(own);
	assert_false(went(somewhere));
	la_unlock(own);
	pthread_barrier_wait(&part_is_wanted);
	pthread_join(other, NULL);
	la_tracker_end(state);
	assert_added(before, (struct figures){ 1, 1000, 0, 0 });
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
	second_handler = free_both;
	lock_heap_and(two_come);
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
	second_handler = replace;
	lock_heap_and(two_come);
	assert_null(second_handler);
	assert_added(before, (struct figures){ 3, 1030, 2, 1020 });
	assert_true(went(somewhere));
	assert_true(went(somewhere + 64));
	assert_added(before, (struct figures){ 3, 1030, 0, 0 });
}

/* A handler records its own block and is interrupted by another one. */
static void test_handlers_in_each_other(void **unused)
{
	struct figures before = figures();

	(void)unused;
	la_tracker_begin(state);
	second_handler = they_come_and_go;
	came(somewhere + 128, 500);
	assert_null(second_handler);
	la_tracker_end(state);
	assert_added(before, (struct figures){ 4, 1540, 2, 530 });
	assert_true(went(somewhere));
	assert_true(went(somewhere + 128));
	assert_added(before, (struct figures){ 4, 1540, 0, 0 });
}

static void test_more_than_can_wait(void **unused)
{
	struct figures before = figures(), now;
	uint64_t drops = la_drops();

	(void)unused;
	lock_heap_and(many_come);
	now = figures();
	drops = la_drops() - drops;
	assert_in_range(drops, 1, MANY - 1);
	assert_int_equal(now.allocated - before.allocated, MANY - drops);
	for (uintptr_t i = 0; i < MANY; i++)
		went(somewhere + 64 * i);
	assert_int_equal(figures().live, before.live);
}

/* ---- mappings ---- */

enum { PAGES = 4 * 4096 };

static void NOINLINE mapped(uintptr_t start)
{
	la_track_map(state, start, PAGES, __builtin_frame_address(0));
	__asm__ volatile("" : : : "memory");
}

static void unmapped(uintptr_t start)
{
	la_untrack_map_done(state, la_untrack_map(state, start, PAGES));
}

/*
 * At once: as soon as it is unmapped, another thread may map something there,
 * and have it recorded.
 */
static void test_a_handler_maps(void **unused)
{
	struct figures before = figures();

	(void)unused;
	mapped(somewhere);
	la_tracker_begin(state);
	unmapped(somewhere);
	mapped(somewhere + PAGES);
	assert_added(before, (struct figures){ 2, 2 * PAGES, 1, PAGES });
	la_tracker_end(state);
	assert_added(before, (struct figures){ 2, 2 * PAGES, 1, PAGES });
	unmapped(somewhere + PAGES);
	assert_added(before, (struct figures){ 2, 2 * PAGES, 0, 0 });
}

static void replace_mapping(void)
{
	mapped(somewhere);
	unmapped(somewhere);
	mapped(somewhere);
}

static void unmap_it(void)
{
	unmapped(somewhere);
}

static void test_a_handler_maps_in_the_table(void **unused)
{
	struct figures before = figures();

	(void)unused;
	lock_heap_and(replace_mapping);
	assert_added(before, (struct figures){ 2, 2 * PAGES, 1, PAGES });
	unmapped(somewhere);
	assert_added(before, (struct figures){ 2, 2 * PAGES, 0, 0 });
}

/* It still waits, or is just being recorded. */
static void test_unmapped_while_it_is_recorded(void **unused)
{
	struct figures before = figures();

	(void)unused;
	second_handler = unmap_it;
	lock_heap_and(replace_mapping);
	assert_null(second_handler);
	assert_added(before, (struct figures){ 2, 2 * PAGES, 0, 0 });
}

static void test_a_mapping_that_could_not_be_unmapped(void **unused)
{
	struct figures before = figures();

	(void)unused;
	mapped(somewhere);
	la_tracker_begin(state);
	la_untrack_map_failed(state, la_untrack_map(state, somewhere, PAGES));
	la_tracker_end(state);
	assert_added(before, (struct figures){ 1, PAGES, 1, PAGES });
	unmapped(somewhere);
	assert_added(before, (struct figures){ 1, PAGES, 0, 0 });
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_handler_allocates),
		cmocka_unit_test(test_a_handler_allocates_much),
		cmocka_unit_test(test_a_handler_allocates_in_the_table),
		cmocka_unit_test(test_a_handler_records_what_waited),
		cmocka_unit_test(test_a_handler_allocates_and_frees),
		cmocka_unit_test(test_a_handler_frees),
		cmocka_unit_test(test_freed_where_its_thread_is),
		cmocka_unit_test(test_freed_while_another_has_the_part),
		cmocka_unit_test(test_freed_while_it_is_recorded),
		cmocka_unit_test(test_replaced_while_it_is_recorded),
		cmocka_unit_test(test_handlers_in_each_other),
		cmocka_unit_test(test_more_than_can_wait),
		cmocka_unit_test(test_a_handler_maps),
		cmocka_unit_test(test_a_handler_maps_in_the_table),
		cmocka_unit_test(test_unmapped_while_it_is_recorded),
		cmocka_unit_test(test_a_mapping_that_could_not_be_unmapped),
		cmocka_unit_test(test_sampled_in_a_handler),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
