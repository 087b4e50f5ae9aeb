/*
 * An array that grows in chunks and never moves: an element's address and
 * contents stay valid for ever, so readers need no lock. Element 0 is never
 * handed out: 0 means none.
 *
 * la_array_reserve and la_array_publish need the owner's lock; the others do
 * not.
 */
#ifndef LA_ARRAY_H
#define LA_ARRAY_H

#include "agent/memory.h"

#include <stdint.h>

enum { LA_ARRAY_CHUNK_BYTES = 32 * 1024 };

struct la_array {
	uint32_t element_size;
	uint32_t chunk_bits; /* a chunk has 1 << chunk_bits elements */
	enum la_memory_use use;
	uint32_t count; /* ids 1 .. count are in use */
	char **chunks;
	uint32_t chunk_room; /* that `chunks` has */
};

/* For elements of 4 bytes to 32 KiB. */
#define LA_ARRAY_OF(type, memory_use)                                          \
	{                                                                      \
		.element_size = sizeof(type),                                  \
		.chunk_bits = (uint32_t)__builtin_ctz(LA_ARRAY_CHUNK_BYTES) -  \
			      (32 - (uint32_t)__builtin_clz(                   \
					    (uint32_t)sizeof(type) - 1)),      \
		.use = (memory_use)                                            \
	}

static inline void *la_array_at(const struct la_array *array, uint32_t id)
{
	char **chunks = __atomic_load_n(&array->chunks, __ATOMIC_ACQUIRE);
	uint32_t within = id & ((1u << array->chunk_bits) - 1);

	return chunks[id >> array->chunk_bits] +
	       (uint64_t)within * array->element_size;
}

static inline uint32_t la_array_count(const struct la_array *array)
{
	return __atomic_load_n(&array->count, __ATOMIC_ACQUIRE);
}

/*
 * Room for the next element, zeroed, to be filled before la_array_publish
 * makes it visible to la_array_count. NULL when memory ran out.
 */
void *la_array_reserve(struct la_array *array);

/* Returns the new element's id. */
static inline uint32_t la_array_publish(struct la_array *array)
{
	__atomic_store_n(&array->count, array->count + 1, __ATOMIC_RELEASE);
	return array->count;
}

#endif
