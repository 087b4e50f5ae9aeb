/*
 * Whether a block that is being freed can be among those that are recorded,
 * when few are: so that freeing one that was not sampled costs a byte's load.
 *
 * A table of bytes, each the number of recorded blocks that it stands for.
 * Neighbouring blocks have neighbouring bytes, so what a thread frees stays in
 * its cache. The table is kept some thirty times larger than the number of
 * blocks: so many frees are let through for each that is stopped wrongly.
 */
#ifndef LA_FILTER_H
#define LA_FILTER_H

#include "agent/system.h"
#include "agent/visibility.h"

#include <stdbool.h>
#include <stdint.h>

struct la_filter {
	uint64_t mask;
	uint8_t counts[];
};

/* The one in use: at first, one that holds everything. */
extern LA_HIDDEN struct la_filter *la_filter_now;

/*
 * 16 bytes of addresses to a byte of the filter; within a page in the same
 * lines. Blocks with pages of their own, all at the same place in them, spread
 * too.
 */
static inline uint64_t la_filter_place(uintptr_t address)
{
	return address >> 4 ^ address >> 12;
}

/*
 * False only when the block is not recorded. Any thread, no lock: but the block
 * must be the caller's, as one is that is about to be freed.
 */
static inline bool la_filter_may_hold(uintptr_t address)
{
	const struct la_filter *filter =
		__atomic_load_n(&la_filter_now, __ATOMIC_ACQUIRE);

	return __atomic_load_n(&filter->counts[la_filter_place(address) &
					       filter->mask],
			       __ATOMIC_RELAXED);
}

/*
 * Puts an empty filter in the place of that which holds everything; before the
 * first block is recorded. `crowded`, safe in a signal handler, is called when
 * it is time for la_filter_grow. 0 or -ENOMEM.
 */
int la_filter_boot(void (*crowded)(void));

/* With the lock of the heap's shard held that the block is recorded in. */
void la_filter_add(unsigned shard, uintptr_t address);
void la_filter_remove(unsigned shard, uintptr_t address);

/*
 * Makes the filter as large as it should be. `walk`, which is called with the
 * shard's lock held, calls visit for each block in a shard. On the agent's
 * thread.
 */
void la_filter_grow(void (*walk)(unsigned shard,
				 void (*visit)(uintptr_t address)));

/* In a forked child, where nobody goes on with growing it. Locks are held. */
void la_filter_after_fork(void);

#endif
