/* See array.h. */

#include "agent/array.h"

#include <stdbool.h>
#include <string.h>

enum { FIRST_ROOM = 64 };

/*
 * Makes the list of chunks longer. The outgrown ones, which are shorter than
 * the new one all together, stay for those who are reading them.
 */
static bool extend(struct la_array *array)
{
	uint32_t room = array->chunk_room ? 2 * array->chunk_room : FIRST_ROOM;
	char **longer = la_memory_keep(room * sizeof(*longer));

	if (!longer)
		return false;
	if (array->chunks)
		memcpy(longer, array->chunks,
		       array->chunk_room * sizeof(*longer));
	__atomic_store_n(&array->chunks, longer, __ATOMIC_RELEASE);
	array->chunk_room = room;
	return true;
}

void *la_array_reserve(struct la_array *array)
{
	uint32_t id = array->count + 1;
	uint32_t chunk = id >> array->chunk_bits;

	if (!id || (chunk >= array->chunk_room && !extend(array)))
		return NULL;
	if (!array->chunks[chunk])
		array->chunks[chunk] = la_memory_map_for(
			array->use,
			(size_t)array->element_size << array->chunk_bits);
	return array->chunks[chunk] ? la_array_at(array, id) : NULL;
}
