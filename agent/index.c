/* See index.h. Open addressing, linear probing, three quarters full. */

#include "agent/index.h"

#include "agent/memory.h"

#include <errno.h>
#include <stddef.h>

enum { FIRST_SLOTS = 1024 };

struct la_index_table {
	uint32_t mask;
	uint64_t slots[]; /* hash << 32 | id; 0 = free */
};

static size_t table_bytes(uint32_t slots)
{
	return sizeof(struct la_index_table) + slots * sizeof(uint64_t);
}

uint32_t la_index_next(const struct la_index *index, uint32_t hash,
		       struct la_index_cursor *cursor)
{
	const struct la_index_table *table = cursor->table;

	if (!table) {
		table = __atomic_load_n(&index->table, __ATOMIC_ACQUIRE);
		if (!table)
			return 0;
		cursor->table = table;
		cursor->slot = hash;
	}
	for (;;) {
		uint64_t entry = __atomic_load_n(
			&table->slots[cursor->slot & table->mask],
			__ATOMIC_ACQUIRE);

		if (!entry)
			return 0;
		cursor->slot++;
		if (entry >> 32 == hash)
			return (uint32_t)entry;
	}
}

static void place(struct la_index_table *table, uint64_t entry)
{
	uint32_t slot = (uint32_t)(entry >> 32);

	while (table->slots[slot & table->mask])
		slot++;
	__atomic_store_n(&table->slots[slot & table->mask], entry,
			 __ATOMIC_RELEASE);
}

static int grow(struct la_index *index)
{
	struct la_index_table *old = index->table;
	uint32_t slots = old ? 2 * (old->mask + 1) : FIRST_SLOTS;
	struct la_index_table *table =
		la_memory_map_for(LA_MEMORY_STACKS, table_bytes(slots));

	if (!table)
		return -ENOMEM;
	table->mask = slots - 1;
	for (uint32_t i = 0; old && i <= old->mask; i++)
		if (old->slots[i])
			place(table, old->slots[i]);
	__atomic_store_n(&index->table, table, __ATOMIC_RELEASE);
	return 0;
}

int la_index_add(struct la_index *index, uint32_t hash, uint32_t id)
{
	const struct la_index_table *table = index->table;

	/* Without memory, a few more find a place. */
	if ((!table || index->used > table->mask - table->mask / 4) &&
	    grow(index) &&
	    (!table || index->used > table->mask - table->mask / 16))
		return -ENOMEM;
	place(index->table, (uint64_t)hash << 32 | id);
	index->used++;
	return 0;
}
