/*
 * Dense ids need no table; others are sorted once and searched.
 */
#include "diff/id_map.h"

#include <stdlib.h>

struct id_place {
	uint64_t id;
	uint32_t place;
};

static int by_id(const void *left, const void *right)
{
	const struct id_place *a = left, *b = right;

	return (a->id > b->id) - (a->id < b->id);
}

bool id_map_build(struct id_map *map, const uint64_t *ids, size_t count,
		  struct arena *arena)
{
	size_t in_order = 0;

	if (count >= ID_MAP_NONE)
		return false;
	while (in_order < count && ids[in_order] == in_order + 1)
		in_order++;
	map->count = (uint32_t)count;
	map->dense = in_order == count;
	map->places = NULL;
	if (map->dense)
		return true;

	map->places = arena_alloc(arena, count * sizeof(*map->places));
	if (!map->places)
		return false;
	for (uint32_t i = 0; i < count; i++)
		map->places[i] = (struct id_place){ids[i], i};
	qsort(map->places, count, sizeof(*map->places), by_id);
	if (map->places[0].id == 0)
		return false;
	for (size_t i = 1; i < count; i++) {
		if (map->places[i].id == map->places[i - 1].id)
			return false;
	}
	return true;
}

uint32_t id_map_sparse_find(const struct id_map *map, uint64_t id)
{
	const struct id_place key = {.id = id};
	const struct id_place *found;

	found = bsearch(&key, map->places, map->count, sizeof(*map->places),
			by_id);
	return found ? found->place : ID_MAP_NONE;
}
