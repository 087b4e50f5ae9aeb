/*
 * From the ids of a profile's mappings, locations or functions to their places
 * in the file. Ids may be any numbers but 0; most writers count 1, 2, 3.
 */
#ifndef DIFF_ID_MAP_H
#define DIFF_ID_MAP_H

#include "diff/memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ID_MAP_NONE UINT32_MAX

struct id_map {
	struct id_place *places; /* sorted by id; unused when dense */
	uint32_t count;
	bool dense; /* id N is at place N - 1 */
};

/*
 * ids[i] is the id of the thing at place i. Returns false when an id is 0 or
 * occurs twice, or the arena is exhausted. Memory comes from the arena.
 */
bool id_map_build(struct id_map *map, const uint64_t *ids, size_t count,
		  struct arena *arena);

uint32_t id_map_sparse_find(const struct id_map *map, uint64_t id);

/* The place of an id, or ID_MAP_NONE. */
static inline uint32_t id_map_find(const struct id_map *map, uint64_t id)
{
	if (!map->dense)
		return id_map_sparse_find(map, id);
	return id - 1 < map->count ? (uint32_t)(id - 1) : ID_MAP_NONE;
}

#endif
