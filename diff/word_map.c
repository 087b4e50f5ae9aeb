/* Open addressing, linear probing, at most half full; nothing is removed. */
#include "diff/word_map.h"

#include "diff/hash_index.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_CAPACITY 64

struct word_map_slot {
	uint64_t key;
	void *value; /* NULL: free */
};

static struct word_map_slot *find(const struct word_map *map, uint64_t key)
{
	size_t at = (size_t)hash_mix(0, key);
	size_t mask = map->capacity - 1;

	for (;; at++) {
		struct word_map_slot *slot = &map->slots[at & mask];

		if (!slot->value || slot->key == key)
			return slot;
	}
}

static int grow(struct word_map *map)
{
	struct word_map larger = {
		.capacity = map->capacity ? map->capacity * 2 : FIRST_CAPACITY,
		.count = map->count,
	};

	larger.slots = calloc(larger.capacity, sizeof(*larger.slots));
	if (!larger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < map->capacity; i++)
		if (map->slots[i].value)
			*find(&larger, map->slots[i].key) = map->slots[i];
	free(map->slots);
	*map = larger;
	return 0;
}

void *word_map_get(const struct word_map *map, uint64_t key)
{
	return map->capacity ? find(map, key)->value : NULL;
}

int word_map_add(struct word_map *map, uint64_t key, void *value)
{
	if (map->count * 2 >= map->capacity && grow(map))
		return -ENOMEM;
	*find(map, key) = (struct word_map_slot){ key, value };
	map->count++;
	return 0;
}

void word_map_free(struct word_map *map)
{
	free(map->slots);
	*map = (struct word_map){ 0 };
}
