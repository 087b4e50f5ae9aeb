/*
 * The live small blocks: for each 32 bytes of address space that an allocator
 * has handed out small blocks in, 4 bytes that say which block begins there.
 *
 * A block's place follows from its address, and between an allocator's handing
 * out an address and its getting it back the address is one thread's business:
 * so recording and forgetting a block take no lock and no atomic operation, and
 * blocks that are neighbours share cache lines. Readers see each block whole or
 * not at all. Any thread.
 *
 * Allocators that have blocks of 16 or 8 bytes side by side have a second layer:
 * of two blocks in a granule one is there. What does not fit (larger blocks, more
 * blocks in 32 bytes, sites with a large id, or no memory) belongs into the table
 * of heap.c.
 */
#ifndef LA_SHADOW_H
#define LA_SHADOW_H

#include "agent/system.h"
#include "agent/visibility.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	LA_SHADOW_GRANULE_BITS = 5,
	LA_SHADOW_REGION_BITS = 20, /* mapped together */
	LA_SHADOW_BRANCH_BITS = 13, /* regions that a branch of the root has */
	LA_SHADOW_ADDRESS_BITS = 47,
	LA_SHADOW_ROOT_BITS = LA_SHADOW_ADDRESS_BITS - LA_SHADOW_REGION_BITS -
			      LA_SHADOW_BRANCH_BITS,
	LA_SHADOW_REGION_ENTRIES =
		1 << (LA_SHADOW_REGION_BITS - LA_SHADOW_GRANULE_BITS),

	/* An entry: site, then which 8 bytes of the granule, then the size. */
	LA_SHADOW_SIZE_BITS = 8,
	LA_SHADOW_PLACE_BITS = LA_SHADOW_GRANULE_BITS - 3,
	LA_SHADOW_SITE_SHIFT = LA_SHADOW_SIZE_BITS + LA_SHADOW_PLACE_BITS
};

#define LA_SHADOW_MOST_BYTES ((1u << LA_SHADOW_SIZE_BITS) - 1)
#define LA_SHADOW_MOST_SITE (UINT32_MAX >> LA_SHADOW_SITE_SHIFT)

typedef uint32_t la_shadow_entry; /* 0: no block begins there */

enum la_shadow_layer { LA_SHADOW_FIRST, LA_SHADOW_SECOND, LA_SHADOW_LAYERS };

struct la_shadow_branch {
	la_shadow_entry *regions[LA_SHADOW_LAYERS][1 << LA_SHADOW_BRANCH_BITS];
};

extern LA_HIDDEN struct la_shadow_branch
	*la_shadow_root[1 << LA_SHADOW_ROOT_BITS];

/*
 * Whether blocks may lie closer to each other than a granule, so that two
 * threads may want the same entry at once. Not so with glibc's allocator.
 */
extern LA_HIDDEN bool la_shadow_crowded;

/*
 * Where they may: whether those of a granule and more may not. So with
 * allocators that keep blocks of one size together.
 */
extern LA_HIDDEN bool la_shadow_slabs;

/* Makes room for blocks around an address; NULL when it must not grow. */
la_shadow_entry *la_shadow_extend(uintptr_t address,
				  enum la_shadow_layer layer);

/* The entry for an address that is below 2^47, or NULL. */
static inline la_shadow_entry *la_shadow_at(uintptr_t address,
					    enum la_shadow_layer layer)
{
	const struct la_shadow_branch *branch = __atomic_load_n(
		&la_shadow_root[address >> (LA_SHADOW_REGION_BITS +
					    LA_SHADOW_BRANCH_BITS)],
		__ATOMIC_ACQUIRE);
	la_shadow_entry *region;

	if (la_unlikely(!branch))
		return NULL;
	region = __atomic_load_n(
		&branch->regions[layer][(address >> LA_SHADOW_REGION_BITS) &
					((1u << LA_SHADOW_BRANCH_BITS) - 1)],
		__ATOMIC_ACQUIRE);
	if (la_unlikely(!region))
		return NULL;
	return region + ((address >> LA_SHADOW_GRANULE_BITS) &
			 (LA_SHADOW_REGION_ENTRIES - 1));
}

static inline uint32_t la_shadow_place(uintptr_t address)
{
	return (address >> 3) & ((1u << LA_SHADOW_PLACE_BITS) - 1);
}

static inline bool la_shadow_is_at(la_shadow_entry entry, uintptr_t address)
{
	return entry && ((entry >> LA_SHADOW_SIZE_BITS) &
			 ((1u << LA_SHADOW_PLACE_BITS) - 1)) ==
				la_shadow_place(address);
}

static inline la_shadow_entry la_shadow_entry_of(uintptr_t address,
						 uint64_t bytes, uint32_t site)
{
	return site << LA_SHADOW_SITE_SHIFT |
	       la_shadow_place(address) << LA_SHADOW_SIZE_BITS |
	       (uint32_t)bytes;
}

/* Where several threads may want the entries of a granule. */
bool la_shadow_insert_crowded(uintptr_t address, la_shadow_entry now);

/*
 * Records a block; one that is already recorded there is replaced (its end was
 * missed). False when it does not fit.
 */
static inline bool la_shadow_insert(uintptr_t address, uint64_t bytes,
				    uint32_t site)
{
	la_shadow_entry *entry, now;

	if (la_unlikely(bytes > LA_SHADOW_MOST_BYTES ||
			site > LA_SHADOW_MOST_SITE ||
			address >> LA_SHADOW_ADDRESS_BITS))
		return false;
	now = la_shadow_entry_of(address, bytes, site);
	if (la_unlikely(la_shadow_crowded) &&
	    (!la_shadow_slabs || bytes < 1u << LA_SHADOW_GRANULE_BITS))
		return la_shadow_insert_crowded(address, now);
	entry = la_shadow_at(address, LA_SHADOW_FIRST);
	if (la_unlikely(!entry)) {
		entry = la_shadow_extend(address, LA_SHADOW_FIRST);
		if (!entry)
			return false;
	}
	/* Not even looked at, where nobody else can want it: its line may be
	 * far away. Who finds it finds what was counted before. */
	__atomic_store_n(entry, now, __ATOMIC_RELEASE);
	return true;
}

static inline uint32_t la_shadow_bytes(la_shadow_entry entry)
{
	return entry & LA_SHADOW_MOST_BYTES;
}

static inline uint32_t la_shadow_site(la_shadow_entry entry)
{
	return entry >> LA_SHADOW_SITE_SHIFT;
}

static inline void la_shadow_fetch(uintptr_t address,
				   enum la_shadow_layer layer)
{
	const la_shadow_entry *entry = la_shadow_at(address, layer);

	if (la_likely(entry != NULL))
		__builtin_prefetch(entry, 1);
}

/* Fetches what la_shadow_remove will look at; only the time that takes changes. */
static inline void la_shadow_expect(uintptr_t address)
{
	if (la_unlikely(address >> LA_SHADOW_ADDRESS_BITS))
		return;
	la_shadow_fetch(address, LA_SHADOW_FIRST);
	if (la_shadow_crowded)
		la_shadow_fetch(address, LA_SHADOW_SECOND);
}

static inline la_shadow_entry la_shadow_take(uintptr_t address,
					     enum la_shadow_layer layer)
{
	la_shadow_entry *entry = la_shadow_at(address, layer);
	la_shadow_entry was;

	if (la_unlikely(!entry))
		return 0;
	was = __atomic_load_n(entry, __ATOMIC_RELAXED);
	if (la_unlikely(!la_shadow_is_at(was, address)))
		return 0;
	__atomic_store_n(entry, 0, __ATOMIC_RELAXED);
	return was;
}

/* Forgets the block and returns what its entry was, or 0. */
static inline la_shadow_entry la_shadow_remove(uintptr_t address)
{
	la_shadow_entry was;

	if (la_unlikely(address >> LA_SHADOW_ADDRESS_BITS))
		return 0;
	was = la_shadow_take(address, LA_SHADOW_FIRST);
	if (la_unlikely(!was && la_shadow_crowded))
		was = la_shadow_take(address, LA_SHADOW_SECOND);
	return was;
}

/* Whether a block begins at this address. */
bool la_shadow_has(uintptr_t address);

/* Calls visit for every block. */
void la_shadow_walk(void (*visit)(void *argument, la_shadow_entry entry),
		    void *argument);

#endif
