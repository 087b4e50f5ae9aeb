/*
 * See maps.h. A treap by start address (Seidel and Aragon, "Randomized Search
 * Trees", 1996): ranges never overlap.
 */

#include "agent/maps.h"

#include "agent/index.h"
#include "agent/lock.h"
#include "agent/memory.h"

#include <stddef.h>

struct object {
	uint32_t site;
	uint32_t pieces;
	uint64_t walk; /* number of the walk that last came by */
	struct object *next_unused;
};

struct la_map {
	uintptr_t start, end;
	struct object *object;
	uint32_t priority;
	struct la_map *left, *right; /* `left` links taken and unused ones */
};

/* All under LA_LOCK_MAPS. */
static struct la_map *root;
static struct la_map *unused_maps;
static struct object *unused_objects;
static uint64_t walks;
static uint64_t priorities;

static struct la_map *new_map(uintptr_t start, uintptr_t end,
			      struct object *object)
{
	struct la_map *map = unused_maps;

	if (map)
		unused_maps = map->left;
	else
		map = la_memory_keep(sizeof(*map));
	if (!map)
		return NULL;
	*map = (struct la_map){ .start = start,
				.end = end,
				.object = object,
				.priority = la_hash(++priorities) };
	object->pieces++;
	return map;
}

static struct object *new_object(uint32_t site)
{
	struct object *object = unused_objects;

	if (object)
		unused_objects = object->next_unused;
	else
		object = la_memory_keep(sizeof(*object));
	if (object)
		*object = (struct object){ .site = site };
	return object;
}

static void free_object(struct object *object)
{
	object->next_unused = unused_objects;
	unused_objects = object;
}

static void free_map(struct la_map *map)
{
	if (--map->object->pieces == 0)
		free_object(map->object);
	map->left = unused_maps;
	unused_maps = map;
}

/* Those that start below `address` go to *low, the others to *high. */
static void split(struct la_map *map, uintptr_t address, struct la_map **low,
		  struct la_map **high)
{
	while (map) {
		if (map->start < address) {
			*low = map;
			low = &map->right;
			map = map->right;
		} else {
			*high = map;
			high = &map->left;
			map = map->left;
		}
	}
	*low = *high = NULL;
}

/* Everything in `low` lies below everything in `high`. */
static struct la_map *join(struct la_map *low, struct la_map *high)
{
	struct la_map *joined, **link = &joined;

	while (low && high) {
		if (low->priority > high->priority) {
			*link = low;
			link = &low->right;
			low = low->right;
		} else {
			*link = high;
			link = &high->left;
			high = high->left;
		}
	}
	*link = low ? low : high;
	return joined;
}

static void insert(struct la_map *map)
{
	struct la_map *low, *high;

	split(root, map->start, &low, &high);
	map->left = map->right = NULL;
	root = join(join(low, map), high);
}

static struct la_map *last_below(uintptr_t address)
{
	struct la_map *map = root, *last = NULL;

	while (map) {
		if (map->start < address) {
			last = map;
			map = map->right;
		} else {
			map = map->left;
		}
	}
	return last;
}

/* Makes `address` a border between ranges. */
static void cut(uintptr_t address)
{
	struct la_map *map = last_below(address), *upper;

	if (!map || map->end <= address)
		return;
	upper = new_map(address, map->end, map->object);
	map->end = address;
	if (upper)
		insert(upper);
}

/* Links a tree's ranges from the highest to the lowest, before `tail`. */
static struct la_map *list_of(struct la_map *map, struct la_map *tail)
{
	while (map) {
		struct la_map *right = map->right;

		map->left = list_of(map->left, tail);
		tail = map;
		map = right;
	}
	return tail;
}

static struct la_map *take(uintptr_t start, uintptr_t end)
{
	struct la_map *low, *middle, *high;

	cut(start);
	cut(end);
	split(root, start, &low, &middle);
	split(middle, end, &middle, &high);
	root = join(low, high);
	return list_of(middle, NULL);
}

static void discard(struct la_map *taken)
{
	while (taken) {
		struct la_map *next = taken->left;

		free_map(taken);
		taken = next;
	}
}

static bool occupied(uintptr_t start, uintptr_t end)
{
	const struct la_map *map = last_below(end);

	return map && map->end > start;
}

/* Another thread may have been given the addresses meanwhile. */
static void restore(struct la_map *taken)
{
	while (taken) {
		struct la_map *next = taken->left;

		if (occupied(taken->start, taken->end))
			free_map(taken);
		else
			insert(taken);
		taken = next;
	}
}

/* What is recorded there was unmapped behind our back. */
static void clear(uintptr_t start, uintptr_t end)
{
	discard(take(start, end));
}

bool la_maps_add(uintptr_t start, uintptr_t end, uint32_t site)
{
	struct object *object;
	struct la_map *map = NULL;

	la_lock(LA_LOCK_MAPS);
	clear(start, end);
	object = new_object(site);
	if (object) {
		map = new_map(start, end, object);
		if (map)
			insert(map);
		else
			free_object(object);
	}
	la_unlock(LA_LOCK_MAPS);
	return map != NULL;
}

struct la_map *la_maps_take(uintptr_t start, uintptr_t end)
{
	la_lock(LA_LOCK_MAPS);
	struct la_map *taken = take(start, end);

	la_unlock(LA_LOCK_MAPS);
	return taken;
}

uint64_t la_maps_taken_bytes(const struct la_map *taken)
{
	uint64_t bytes = 0;

	for (; taken; taken = taken->left)
		bytes += taken->end - taken->start;
	return bytes;
}

void la_maps_restore(struct la_map *taken)
{
	la_lock(LA_LOCK_MAPS);
	restore(taken);
	la_unlock(LA_LOCK_MAPS);
}

void la_maps_discard(struct la_map *taken)
{
	la_lock(LA_LOCK_MAPS);
	discard(taken);
	la_unlock(LA_LOCK_MAPS);
}

/* Another range of the same object at a new place. */
static void place_piece(struct object *object, uintptr_t start, uintptr_t end)
{
	struct la_map *map = new_map(start, end, object);

	if (map)
		insert(map);
}

/* Under LA_LOCK_MAPS. Returns the site of the last range. */
static uint32_t fill(const struct la_map *taken, uintptr_t from, uintptr_t to,
		     uintptr_t length)
{
	uintptr_t end = 0; /* of the new place, as far as it is filled */
	struct object *last = NULL;

	clear(to, to + length);
	for (const struct la_map *map = taken; map; map = map->left) {
		uintptr_t piece_start = map->start - from;
		uintptr_t piece_end = map->end - from;

		if (piece_end > length)
			piece_end = length;
		if (piece_start < piece_end)
			place_piece(map->object, to + piece_start,
				    to + piece_end);
		if (!last || piece_end > end) {
			last = map->object;
			end = piece_end;
		}
	}
	if (end < length)
		place_piece(last, to + end, to + length);
	return last->site;
}

static void copy(const struct la_map *taken, uintptr_t from, uintptr_t to,
		 uintptr_t length, uint64_t grown,
		 void (*grew)(uint32_t site, uint64_t bytes))
{
	uint32_t site;

	la_lock(LA_LOCK_MAPS);
	site = fill(taken, from, to, length);
	if (grown)
		grew(site, grown);
	la_unlock(LA_LOCK_MAPS);
}

void la_maps_copy(struct la_map *taken, uintptr_t from, uintptr_t to,
		  uintptr_t length, void (*grew)(uint32_t site, uint64_t bytes))
{
	if (taken)
		copy(taken, from, to, length, length, grew);
}

void la_maps_move(struct la_map *taken, uintptr_t from, uintptr_t to,
		  uintptr_t length, void (*grew)(uint32_t site, uint64_t bytes))
{
	uint64_t before = la_maps_taken_bytes(taken);

	if (!taken)
		return;
	copy(taken, from, to, length, length > before ? length - before : 0,
	     grew);
	la_maps_discard(taken);
}

static void walk(struct la_map *map,
		 void (*visit)(void *, uint32_t, uint64_t, bool),
		 void *argument)
{
	for (; map; map = map->right) {
		walk(map->left, visit, argument);
		visit(argument, map->object->site, map->end - map->start,
		      map->object->walk != walks);
		map->object->walk = walks;
	}
}

void la_maps_walk(void (*visit)(void *argument, uint32_t site, uint64_t bytes,
				bool first),
		  void *argument)
{
	la_lock(LA_LOCK_MAPS);
	walks++;
	walk(root, visit, argument);
	la_unlock(LA_LOCK_MAPS);
}
