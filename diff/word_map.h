/*
 * A hash table from a 64-bit word (an offset, a pointer) to a pointer: what
 * the symboliser remembers, so that it looks up everything once. It owns
 * neither. One thread at a time.
 */
#ifndef WORD_MAP_H
#define WORD_MAP_H

#include <stddef.h>
#include <stdint.h>

/* All zero is an empty map. */
struct word_map {
	struct word_map_slot *slots;
	size_t capacity; /* a power of two, or 0 */
	size_t count;
};

/* Returns NULL when there is none. */
void *word_map_get(const struct word_map *map, uint64_t key);

/*
 * Adds a key that is not there yet; the value is not NULL. Returns 0, or
 * -ENOMEM, which leaves the map as it was.
 */
int word_map_add(struct word_map *map, uint64_t key, void *value);

void word_map_free(struct word_map *map);

#endif
