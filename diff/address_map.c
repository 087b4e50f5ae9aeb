/*
 * Ranges are sorted by start and swept once with a stack of those still open;
 * each stretch between two events goes to the one on top. Ranges that overlap
 * without nesting (broken input) are cut where the later one starts.
 */
#include "diff/address_map.h"

#include <errno.h>
#include <stdlib.h>

int address_map_add(struct address_map *map, struct address_range range)
{
	if (range.low >= range.high)
		return 0;
	if (map->count == map->capacity) {
		size_t capacity = map->capacity ? map->capacity * 2 : 16;
		struct address_range *ranges = reallocarray(
			map->ranges, capacity, sizeof(*ranges));

		if (!ranges)
			return -ENOMEM;
		map->ranges = ranges;
		map->capacity = capacity;
	}
	map->ranges[map->count++] = range;
	return 0;
}

/* Outer before inner, and of equals the winner last. */
static int compare(const void *left, const void *right)
{
	const struct address_range *a = left;
	const struct address_range *b = right;

	if (a->low != b->low)
		return a->low < b->low ? -1 : 1;
	if (a->depth != b->depth)
		return a->depth < b->depth ? -1 : 1;
	if (a->high != b->high)
		return a->high > b->high ? -1 : 1;
	return a->value > b->value ? -1 : a->value < b->value;
}

struct sweep {
	struct address_range *open; /* a stack, innermost last */
	size_t open_count;
	struct address_range *out;
	size_t out_count;
	uint64_t position; /* everything below is written */
};

/* Gives the innermost open range everything up to `end`. */
static void emit(struct sweep *sweep, uint64_t end)
{
	const struct address_range *top = &sweep->open[sweep->open_count - 1];
	struct address_range *last = sweep->out + sweep->out_count - 1;

	if (sweep->position >= end)
		return;
	if (sweep->out_count && last->high == sweep->position &&
	    last->value == top->value)
		last->high = end;
	else
		sweep->out[sweep->out_count++] = (struct address_range){
			sweep->position, end, top->depth, top->value
		};
	sweep->position = end;
}

static void close_until(struct sweep *sweep, uint64_t address)
{
	while (sweep->open_count) {
		uint64_t high = sweep->open[sweep->open_count - 1].high;

		if (high > address)
			break;
		emit(sweep, high);
		sweep->open_count--;
	}
	if (sweep->open_count)
		emit(sweep, address);
}

int address_map_build(struct address_map *map)
{
	size_t count = map->count;
	struct sweep sweep = { 0 };

	if (!count)
		return 0;
	/* Each range opens one stretch and, closing, reopens another. */
	sweep.out = reallocarray(NULL, 2 * count, sizeof(*sweep.out));
	sweep.open = reallocarray(NULL, count, sizeof(*sweep.open));
	if (!sweep.out || !sweep.open) {
		free(sweep.out);
		free(sweep.open);
		address_map_free(map);
		return -ENOMEM;
	}
	qsort(map->ranges, count, sizeof(*map->ranges), compare);
	for (size_t i = 0; i < count; i++) {
		close_until(&sweep, map->ranges[i].low);
		sweep.position = map->ranges[i].low;
		sweep.open[sweep.open_count++] = map->ranges[i];
	}
	close_until(&sweep, UINT64_MAX);
	free(sweep.open);
	free(map->ranges);
	map->ranges = sweep.out;
	map->capacity = 2 * count;
	map->count = sweep.out_count;
	return 0;
}

bool address_map_find(const struct address_map *map, uint64_t address,
		      uint32_t *value)
{
	size_t low = 0;
	size_t high = map->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct address_range *range = &map->ranges[middle];

		if (address < range->low) {
			high = middle;
		} else if (address >= range->high) {
			low = middle + 1;
		} else {
			*value = range->value;
			return true;
		}
	}
	return false;
}

void address_map_free(struct address_map *map)
{
	free(map->ranges);
	*map = (struct address_map){ 0 };
}
