/*
 * All tables at once, through the tracker: threads record blocks and mappings
 * from the same stacks at the same addresses, free each other's, come and go,
 * and snapshots are taken meanwhile. What is counted in the end is exact. Under
 * the thread sanitizer it is also how they share.
 */
#define _GNU_SOURCE

#include "agent/estimates.h"
#include "agent/filter.h"
#include "agent/modules.h"
#include "agent/sampler.h"

#include "tests/support/tracker_figures.h"

#define NOINLINE __attribute__((noinline))

enum {
	WORKERS = 6,
	WATCHERS = 2,
	ROUNDS = 3000,
	SLOTS = 512, /* few, so that threads meet */
	DEEPEST = 12,
	PAGE = 4096
};

/* Blocks of a granule and of more, in one region and beyond. */
static const uintptr_t heap = 0x7f1000000000, maps = 0x7f2000000000;
static const size_t sizes[] = { 8, 24, 200, 300, 5000 };

/* Of a block and of a mapping, in turn: whose move it is. */
enum { FREE, BUSY, LIVE };

static uint32_t slots[2][SLOTS];
static uint64_t recorded, recorded_bytes, working;

static size_t size_of(unsigned slot)
{
	return sizes[slot % array_length(sizes)];
}

static uintptr_t block_of(unsigned slot)
{
	return heap + (uintptr_t)slot * 8192;
}

static bool take(unsigned kind, unsigned slot, uint32_t from)
{
	return __atomic_compare_exchange_n(&slots[kind][slot], &from, BUSY,
					   false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static void give(unsigned kind, unsigned slot, uint32_t now)
{
	__atomic_store_n(&slots[kind][slot], now, __ATOMIC_RELEASE);
}

/* ---- what a worker does ---- */

static void came(struct la_state *state, unsigned kind, unsigned slot)
{
	const void *frame = __builtin_frame_address(0);

	if (kind)
		la_track_map(state, maps + (uintptr_t)slot * PAGE, PAGE,
			     frame);
	else
		la_track_block(state, (const void *)block_of(slot),
			       size_of(slot), frame);
	__atomic_add_fetch(&recorded, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&recorded_bytes, kind ? PAGE : size_of(slot),
			   __ATOMIC_RELAXED);
}

static void went(struct la_state *state, unsigned kind, unsigned slot)
{
	struct la_block was;

	if (kind)
		la_untrack_map_done(
			state, la_untrack_map(state,
					      maps + (uintptr_t)slot * PAGE,
					      PAGE));
	else
		la_untrack_block(state, (const void *)block_of(slot), &was);
}

static void move(struct la_state *state, unsigned kind, unsigned slot)
{
	if (take(kind, slot, FREE)) {
		came(state, kind, slot);
		give(kind, slot, LIVE);
	} else if (take(kind, slot, LIVE)) {
		went(state, kind, slot);
		give(kind, slot, FREE);
	}
}

/* From one of many stacks, of which all threads have the same ones. */
static void NOINLINE deeper(struct la_state *state, unsigned depth,
			    uint64_t *seed)
{
	if (depth)
		deeper(state, depth - 1, seed);
	else
		move(state, random_below(seed, 8) == 0,
		     (unsigned)random_below(seed, SLOTS));
	__asm__ volatile("" : : : "memory");
}

static void work(unsigned number)
{
	struct la_state *state = la_state_get();
	uint64_t seed = number + 1;

	for (unsigned i = 0; i < ROUNDS; i++) {
		/* Now and then as in a handler that came in between. */
		bool inside = random_below(&seed, 32) == 0;

		if (inside)
			la_tracker_begin(state);
		deeper(state, (unsigned)random_below(&seed, DEEPEST), &seed);
		if (inside)
			la_tracker_end(state);
	}
	__atomic_sub_fetch(&working, 1, __ATOMIC_RELAXED);
}

/* ---- what is looked at meanwhile ---- */

static bool somebody_works(void)
{
	return __atomic_load_n(&working, __ATOMIC_RELAXED);
}

/* As the agent's thread does, which is but one. */
static void take_snapshots(void)
{
	struct la_snapshot snapshot;

	while (somebody_works()) {
		note_unless(!la_snapshot_take(&snapshot));
		note_unless(snapshot.live_objects <= 2 * SLOTS);
		la_snapshot_free(&snapshot);
	}
}

/* As threads do that meet code for the first time. */
static void look_at_modules(void)
{
	while (somebody_works())
		la_modules_refresh();
}

static void work_or_watch(unsigned number)
{
	if (number < WORKERS)
		work(number);
	else if (number == WORKERS)
		take_snapshots();
	else
		look_at_modules();
#ifdef __SANITIZE_THREAD__
	/* It forgets a thread before the agent does: no state is given back. */
	la_state_of_thread = &la_state_gone;
#endif
}

static void work_together(void)
{
	working = WORKERS;
	crew(WORKERS + WATCHERS, work_or_watch);
}

/* ---- what is left ---- */

static struct figures expected(void)
{
	struct figures sums = { recorded, recorded_bytes, 0, 0 };

	for (unsigned kind = 0; kind < 2; kind++)
		for (unsigned slot = 0; slot < SLOTS; slot++) {
			bool live = slots[kind][slot] == LIVE;

			sums.live += live;
			sums.live_bytes +=
				live * (kind ? PAGE : size_of(slot));
		}
	return sums;
}

static void test_every_block(void **unused)
{
	struct figures sums, wanted;

	(void)unused;
	/* The second time with the states of threads that have gone. */
	for (int i = 0; i < 2; i++) {
		work_together();
		sums = figures();
		wanted = expected();
		assert_int_equal(sums.allocated, wanted.allocated);
		assert_int_equal(sums.allocated_bytes, wanted.allocated_bytes);
		assert_int_equal(sums.live, wanted.live);
		assert_int_equal(sums.live_bytes, wanted.live_bytes);
		assert_int_equal(la_drops(), 0);
	}
}

static void nothing(void)
{
}

/* What is not recorded is no business of the tables: only what is left is. */
static void test_some_blocks(void **unused)
{
	struct la_state *state = la_state_get();

	(void)unused;
	for (unsigned kind = 0; kind < 2; kind++)
		for (unsigned slot = 0; slot < SLOTS; slot++)
			if (slots[kind][slot] == LIVE) {
				went(state, kind, slot);
				slots[kind][slot] = FREE;
			}
	assert_int_equal(figures().live, 0);
	assert_int_equal(la_filter_boot(nothing), 0);
	/* Those that were made before blocks were sampled have no room. */
	for (uint32_t site = 1; site <= la_sites_total(); site++)
		assert_true(la_estimates_reserve(site));
	la_sampler_boot(500, 1);
	la_tracker_set_mode(LA_MODE_ON);
	work_together();
	for (unsigned kind = 0; kind < 2; kind++)
		for (unsigned slot = 0; slot < SLOTS; slot++)
			if (slots[kind][slot] == LIVE)
				went(state, kind, slot);
	assert_int_equal(figures().live, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_block),
		cmocka_unit_test(test_some_blocks),
	};

	return cmocka_run_group_tests(tests, boot_tracker, NULL);
}
