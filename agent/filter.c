/*
 * See filter.h. While a larger filter is being filled, each shard's blocks are
 * counted in both from the moment on that the shard's own were copied; readers
 * see the larger one when all were. Whoever then counts a block in the larger
 * one only has seen that it is in use, and so does everyone who is given that
 * block: an outgrown filter is out of date, but stays mapped for those who are
 * still reading it.
 */

#include "agent/filter.h"

#include "agent/lock.h"
#include "agent/memory.h"

#include <errno.h>
#include <stddef.h>

enum {
	FIRST_BYTES = 4 * 1024, /* stays in the first cache */
	BYTES_PER_BLOCK = 32, /* at least */
	GROWTH = 4,           /* outgrown ones are a third of the last */
	STUCK = UINT8_MAX     /* a count that was too large to be known */
};

static struct la_filter everything = { .mask = 0, .counts = { STUCK } };

struct la_filter *la_filter_now = &everything;

/* The filters that count a shard's blocks, if any; under its lock. */
static struct {
	struct la_filter *present;
	struct la_filter *larger;
} shards[LA_HEAP_SHARDS];

static uint64_t blocks;
static uint64_t most_blocks; /* more are a crowd */
static bool asked_to_grow;
static void (*on_crowded)(void);
static struct la_filter *growing;

static size_t mapped_bytes(uint64_t counts)
{
	return offsetof(struct la_filter, counts) + counts;
}

static struct la_filter *new_filter(uint64_t bytes)
{
	struct la_filter *filter =
		la_memory_map_for(LA_MEMORY_LIVE, mapped_bytes(bytes));

	if (filter)
		filter->mask = bytes - 1;
	return filter;
}

static void change(struct la_filter *filter, uintptr_t address, int by)
{
	uint8_t *count =
		&filter->counts[la_filter_place(address) & filter->mask];
	uint8_t was = __atomic_load_n(count, __ATOMIC_RELAXED);

	do {
		if (was == STUCK)
			return;
	} while (!__atomic_compare_exchange_n(count, &was, (uint8_t)(was + by),
					      false, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
}

static void change_all(unsigned shard, uintptr_t address, int by)
{
	change(shards[shard].present, address, by);
	if (shards[shard].larger)
		change(shards[shard].larger, address, by);
}

void la_filter_add(unsigned shard, uintptr_t address)
{
	if (!shards[shard].present)
		return;
	change_all(shard, address, 1);
	if (la_unlikely(__atomic_add_fetch(&blocks, 1, __ATOMIC_RELAXED) >
			__atomic_load_n(&most_blocks, __ATOMIC_RELAXED)) &&
	    !__atomic_exchange_n(&asked_to_grow, true, __ATOMIC_RELAXED))
		on_crowded();
}

void la_filter_remove(unsigned shard, uintptr_t address)
{
	if (!shards[shard].present)
		return;
	__atomic_sub_fetch(&blocks, 1, __ATOMIC_RELAXED);
	change_all(shard, address, -1);
}

static void add_to_larger(uintptr_t address)
{
	change(growing, address, 1);
}

/* The size that the filter should have. */
static uint64_t wanted_bytes(void)
{
	uint64_t now = __atomic_load_n(&blocks, __ATOMIC_RELAXED);
	uint64_t bytes = la_filter_now->mask + 1;

	while (bytes < now * BYTES_PER_BLOCK)
		bytes *= GROWTH;
	return bytes;
}

static void set_most(const struct la_filter *filter)
{
	__atomic_store_n(&most_blocks, (filter->mask + 1) / BYTES_PER_BLOCK,
			 __ATOMIC_RELAXED);
	__atomic_store_n(&asked_to_grow, false, __ATOMIC_RELAXED);
}

static void fill(void (*walk)(unsigned shard, void (*visit)(uintptr_t address)))
{
	for (unsigned shard = 0; shard < LA_HEAP_SHARDS; shard++) {
		la_lock(LA_LOCK_HEAP + shard);
		shards[shard].larger = growing;
		walk(shard, add_to_larger);
		la_unlock(LA_LOCK_HEAP + shard);
	}
}

static void let_go_of_present(void)
{
	for (unsigned shard = 0; shard < LA_HEAP_SHARDS; shard++) {
		la_lock(LA_LOCK_HEAP + shard);
		shards[shard].present = growing;
		shards[shard].larger = NULL;
		la_unlock(LA_LOCK_HEAP + shard);
	}
}

void la_filter_grow(void (*walk)(unsigned shard,
				 void (*visit)(uintptr_t address)))
{
	uint64_t bytes = wanted_bytes();

	if (bytes == la_filter_now->mask + 1)
		return;
	/* Without memory it stays as it is, and is not asked to grow again. */
	growing = new_filter(bytes);
	if (!growing)
		return;
	fill(walk);
	__atomic_store_n(&la_filter_now, growing, __ATOMIC_RELEASE);
	let_go_of_present();
	set_most(growing);
	growing = NULL;
}

void la_filter_after_fork(void)
{
	/* Nobody has heard that it is crowded, either. */
	set_most(la_filter_now);
	if (!growing)
		return;
	for (unsigned shard = 0; shard < LA_HEAP_SHARDS; shard++) {
		shards[shard].present = la_filter_now;
		shards[shard].larger = NULL;
	}
	if (growing != la_filter_now)
		la_memory_unmap_for(LA_MEMORY_LIVE, growing,
				    mapped_bytes(growing->mask + 1));
	growing = NULL;
}

int la_filter_boot(void (*crowded)(void))
{
	struct la_filter *first = new_filter(FIRST_BYTES);

	if (!first)
		return -ENOMEM;
	for (unsigned shard = 0; shard < LA_HEAP_SHARDS; shard++)
		shards[shard].present = first;
	on_crowded = crowded;
	set_most(first);
	__atomic_store_n(&la_filter_now, first, __ATOMIC_RELEASE);
	return 0;
}
