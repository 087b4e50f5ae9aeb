/*
 * The live heap blocks that are not in the shadow: address -> size and site, 16
 * bytes a slot, in LA_HEAP_SHARDS parts with a lock each, chosen by address so
 * that threads that allocate from different regions do not meet. Any thread.
 *
 * A part that may not grow any more keeps a sample of its blocks: see sampler.h
 * for what that means. Its interval begins with the agent's own, and doubles
 * each time that there is no room.
 */
#ifndef LA_HEAP_H
#define LA_HEAP_H

#include <stdbool.h>
#include <stdint.h>

/* What a user process can ever allocate in one block. */
#define LA_HEAP_MOST_BYTES ((UINT64_C(1) << 48) - 1)

struct la_block {
	uint64_t bytes;
	uint32_t site;
};

/*
 * Records a block, which la_sampler_takes has let through, unless its part
 * samples more coarsely; one that is already there is replaced (its end was
 * missed). False when there is no memory at all, and for addresses from 2^48
 * on, which processes are given only if they ask for them.
 */
bool la_heap_insert(uintptr_t address, struct la_block block);

/* The same for a block that was removed, and so had been let through before. */
bool la_heap_put_back(uintptr_t address, struct la_block block);

/*
 * Changes a block's size and tells what it was. False when it is not recorded,
 * or sampled: the size that decided on that is the one to keep.
 */
bool la_heap_resize(uintptr_t address, uint64_t bytes, struct la_block *was);

/* Forgets a block and tells what it was; false when it was not recorded. */
bool la_heap_remove(uintptr_t address, struct la_block *block);

/*
 * In a handler whose thread is inside the part of the table that holds
 * `address`: forgets the block before anything else is done there, so that
 * whoever is given the address next can record it. False when too many wait.
 */
bool la_heap_remove_later(uintptr_t address);

/* la_heap_remove, or false where another thread is inside that part for long. */
bool la_heap_remove_briefly(uintptr_t address, struct la_block *block,
			    bool *found);

/* Whether this thread is inside the part of the table that holds `address`. */
bool la_heap_busy(uintptr_t address);

/*
 * Calls visit for every block, one part after the other: a part is a consistent
 * picture, and locked for as long as copying it takes. `interval` is what its
 * blocks are sampled with, 0 when all are there. One thread at a time.
 */
void la_heap_walk(void (*visit)(void *argument, uintptr_t address,
				struct la_block block, uint64_t interval),
		  void *argument);

/* Calls visit for every block of a part whose lock the caller holds. */
void la_heap_walk_shard(unsigned shard, void (*visit)(uintptr_t address));

#endif
