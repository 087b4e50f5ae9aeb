/*
 * The host's live mappings that count as memory: ranges of pages, each part of
 * the object that one mmap made. What is left of an object after partial unmaps
 * is still one object. Any thread.
 *
 * Taking ranges out and making that final are two steps, because the kernel's
 * answer comes in between: after taking them out another thread may be given
 * the addresses, but the call may also fail.
 */
#ifndef LA_MAPS_H
#define LA_MAPS_H

#include <stdbool.h>
#include <stdint.h>

struct la_map;

/* Records a new object. False when memory ran out. */
bool la_maps_add(uintptr_t start, uintptr_t end, uint32_t site);

/* Takes out whatever lies in the range; pieces of ranges are split off. */
struct la_map *la_maps_take(uintptr_t start, uintptr_t end);

/* The sum of the ranges that were taken, in bytes. */
uint64_t la_maps_taken_bytes(const struct la_map *taken);

/* Ends a take: puts the ranges back, or lets them go. */
void la_maps_restore(struct la_map *taken);
void la_maps_discard(struct la_map *taken);

/*
 * Ends a take for mremap: what was at `from` is now at `to`, `length` long; what
 * it grew belongs to the last range. `grew` is told of that, before la_maps_walk
 * shows it, and must not come back here. An empty take: nothing happens.
 */
void la_maps_move(struct la_map *taken, uintptr_t from, uintptr_t to,
		  uintptr_t length, void (*grew)(uint32_t site, uint64_t bytes));

/*
 * For MREMAP_DONTUNMAP and for doubling a shared mapping: like la_maps_move,
 * but the ranges stay where they are as well. All of `length` is new.
 */
void la_maps_copy(struct la_map *taken, uintptr_t from, uintptr_t to,
		  uintptr_t length, void (*grew)(uint32_t site, uint64_t bytes));

/* Calls visit for each range; `first` once for each object. */
void la_maps_walk(void (*visit)(void *argument, uint32_t site, uint64_t bytes,
				bool first),
		  void *argument);

#endif
