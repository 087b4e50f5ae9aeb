/*
 * A growing hash index from 32-bit hashes to non-zero 32-bit ids. The keys
 * themselves stay with the owner, who compares them. Readers take no lock:
 * entries are only ever added, and a table that was outgrown stays mapped (all
 * outgrown tables together are smaller than the current one). For stacks only:
 * memory is LA_MEMORY_STACKS.
 *
 * la_index_add needs the owner's lock; la_index_next does not.
 */
#ifndef LA_INDEX_H
#define LA_INDEX_H

#include <stdint.h>

struct la_index_table;

struct la_index {
	struct la_index_table *table;
	uint32_t used;
};

/* Position of a search: start with zeros. */
struct la_index_cursor {
	const struct la_index_table *table;
	uint32_t slot;
};

/*
 * The next id that was added under `hash`, or 0. Ids of other keys with the
 * same hash come too.
 */
uint32_t la_index_next(const struct la_index *index, uint32_t hash,
		       struct la_index_cursor *cursor);

/* 0, or -ENOMEM: then nothing changed. */
int la_index_add(struct la_index *index, uint32_t hash, uint32_t id);

static inline uint32_t la_hash(uint64_t key)
{
	/* The finaliser of MurmurHash3 (Austin Appleby, public domain). */
	key ^= key >> 33;
	key *= UINT64_C(0xff51afd7ed558ccd);
	key ^= key >> 33;
	key *= UINT64_C(0xc4ceb9fe1a85ec53);
	key ^= key >> 33;
	return (uint32_t)key;
}

#endif
