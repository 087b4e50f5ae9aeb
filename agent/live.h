/*
 * The live heap blocks: address -> size and site. Small ones are in the shadow,
 * unless blocks are sampled: few would fill it badly. The others are in the
 * table. This is what decides. Any thread; a signal handler may remove with
 * la_live_remove_inside, and insert nothing.
 */
#ifndef LA_LIVE_H
#define LA_LIVE_H

#include "agent/heap.h"
#include "agent/sampler.h"
#include "agent/shadow.h"

/* For what la_live_insert's fast path does not take. */
bool la_live_insert_other(uintptr_t address, struct la_block block);

/*
 * Records a block; one that is already there is replaced (its end was missed).
 * False when memory ran out.
 */
static inline bool la_live_insert(uintptr_t address, struct la_block block)
{
	return (la_likely(!la_sampler_interval) &&
		la_likely(la_shadow_insert(address, block.bytes,
					   block.site))) ||
	       la_live_insert_other(address, block);
}

static inline struct la_block la_live_block_of(la_shadow_entry entry)
{
	return (struct la_block){ .bytes = la_shadow_bytes(entry),
				  .site = la_shadow_site(entry) };
}

/* Forgets a block and tells what it was; false when it was not recorded. */
static inline bool la_live_remove(uintptr_t address, struct la_block *block)
{
	la_shadow_entry was = la_shadow_remove(address);

	if (la_unlikely(!was))
		return la_heap_remove(address, block);
	*block = la_live_block_of(was);
	return true;
}

/* Records a block that was removed, as it was. False when memory ran out. */
bool la_live_put_back(uintptr_t address, struct la_block block);

/*
 * Makes a block smaller and tells what it was. False when it is not recorded,
 * or sampled.
 */
bool la_live_resize(uintptr_t address, uint64_t bytes, struct la_block *was);

/*
 * Forgets a block in a handler that may have interrupted its thread in here. What
 * cannot be touched now is forgotten soon enough, which is not told in *found.
 * False: not now, its thread has to do it later, since two that wait for each
 * other's parts of the table would wait for ever.
 */
bool la_live_remove_inside(uintptr_t address, struct la_block *block,
			   bool *found);

/*
 * Calls visit for every block; interval as in la_heap_walk. One thread at a
 * time; no allocation, no tracking inside visit.
 */
void la_live_walk(void (*visit)(void *argument, struct la_block block,
				uint64_t interval),
		  void *argument);

#endif
