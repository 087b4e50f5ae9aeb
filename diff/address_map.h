/*
 * Which of many nested address ranges is the innermost one at an address.
 * Knows nothing of what the ranges are (units, functions, symbols): each is
 * known by a number. One thread at a time.
 */
#ifndef ADDRESS_MAP_H
#define ADDRESS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct address_range {
	uint64_t low;
	uint64_t high;  /* exclusive */
	uint32_t depth; /* of nesting: of two that start together the deeper
			   wins, then the shorter, then the lower value */
	uint32_t value;
};

/* All zero is an empty map. */
struct address_map {
	struct address_range *ranges;
	size_t count;
	size_t capacity;
};

/* Ignores a range that is empty. Returns 0 or -ENOMEM. */
int address_map_add(struct address_map *map, struct address_range range);

/*
 * Once, after everything has been added: turns the ranges into disjoint ones.
 * Returns 0, or -ENOMEM, which leaves the map empty.
 */
int address_map_build(struct address_map *map);

/* Returns whether any range holds the address, and if so its value. */
bool address_map_find(const struct address_map *map, uint64_t address,
		      uint32_t *value);

void address_map_free(struct address_map *map);

#endif
