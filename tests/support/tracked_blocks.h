/*
 * Blocks that the tracker is told of on the main thread, and by how much they
 * change the figures. Blocks are made-up addresses.
 */
#ifndef TESTS_TRACKED_BLOCKS_H
#define TESTS_TRACKED_BLOCKS_H

#include "tests/support/tracker_figures.h"

#define NOINLINE __attribute__((noinline))

static struct la_state *state;
static const uintptr_t somewhere = 0x7f1000000000;

/* The set-up of a group of tests. */
static inline int boot(void **unused)
{
	if (boot_tracker(unused))
		return -1;
	state = la_state_get();
	return 0;
}

/* What has become more since `before`. */
static inline void assert_added(struct figures before, struct figures expected)
{
	struct figures now = figures();

	assert_int_equal(now.allocated - before.allocated, expected.allocated);
	assert_int_equal(now.allocated_bytes - before.allocated_bytes,
			 expected.allocated_bytes);
	assert_int_equal(now.live - before.live, expected.live);
	assert_int_equal(now.live_bytes - before.live_bytes,
			 expected.live_bytes);
}

static inline const void *block_at(uintptr_t address)
{
	return (const void *)address;
}

static void NOINLINE came(uintptr_t address, size_t bytes)
{
	la_track_block(state, block_at(address), bytes,
		       __builtin_frame_address(0));
	__asm__ volatile("" : : : "memory");
}

static inline bool went(uintptr_t address)
{
	struct la_block was;

	return la_untrack_block(state, block_at(address), &was);
}

#endif
