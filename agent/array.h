/*
 * An array that grows in chunks and never moves: an element's address and
 * contents stay valid for ever, so readers need no lock. Element 0 is never
 * handed out: 0 means none.
 *
 * la_array_append needs the owner's lock; the others do not.
 */
#ifndef LA_ARRAY_H
#define LA_ARRAY_H

#include "agent/memory.h"

#include <stdint.h>

enum { LA_ARRAY_CHUNK_BITS = 12, LA_ARRAY_CHUNKS = 1 << 16 };

struct la_array {
	uint32_t element_size;
	uint32_t count; /* ids 1 .. count are in use */
	char **chunks;
};

#define LA_ARRAY_OF(type) { .element_size = sizeof(type) }

static inline void *la_array_at(const struct la_array *array, uint32_t id)
{
	uint32_t within = id & ((1u << LA_ARRAY_CHUNK_BITS) - 1);

	return array->chunks[id >> LA_ARRAY_CHUNK_BITS] +
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
static inline void *la_array_reserve(struct la_array *array)
{
	uint32_t id = array->count + 1;
	uint32_t chunk = id >> LA_ARRAY_CHUNK_BITS;

	if (chunk >= LA_ARRAY_CHUNKS)
		return NULL;
	if (!array->chunks) {
		array->chunks =
			la_memory_map(LA_ARRAY_CHUNKS * sizeof(char *));
		if (!array->chunks)
			return NULL;
	}
	if (!array->chunks[chunk]) {
		array->chunks[chunk] =
			la_memory_map((size_t)array->element_size
				      << LA_ARRAY_CHUNK_BITS);
		if (!array->chunks[chunk])
			return NULL;
	}
	return la_array_at(array, id);
}

/* Returns the new element's id. */
static inline uint32_t la_array_publish(struct la_array *array)
{
	__atomic_store_n(&array->count, array->count + 1, __ATOMIC_RELEASE);
	return array->count;
}

#endif
