/*
 * The live heap blocks that are not in the shadow: address -> size and site, 16
 * bytes a slot, in LA_HEAP_SHARDS parts with a lock each, chosen by address so
 * that threads that allocate from different regions do not meet. Any thread.
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
 * Records a block; one that is already there is replaced (its end was missed).
 * False when memory ran out.
 */
bool la_heap_insert(uintptr_t address, struct la_block block);

/* Forgets a block and tells what it was; false when it was not recorded. */
bool la_heap_remove(uintptr_t address, struct la_block *block);

/* Whether this thread is inside the part of the table that holds `address`. */
bool la_heap_busy(uintptr_t address);

/*
 * Calls visit for every block, one part after the other: a part is a consistent
 * picture. No allocation, no tracking inside visit.
 */
void la_heap_walk(void (*visit)(void *argument, uintptr_t address,
				struct la_block block),
		  void *argument);

#endif
