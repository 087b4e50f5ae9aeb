/*
 * What is in the table of live blocks (heap.h), and where it has its memory
 * from. A test that has this is linked with
 * -Wl,--wrap=la_memory_map_for,--wrap=la_memory_unmap_for
 */
#ifndef TESTS_HEAP_BLOCKS_H
#define TESTS_HEAP_BLOCKS_H

#include "agent/heap.h"
#include "agent/memory.h"

#include "tests/support/agent_check.h"

#include <sys/mman.h>

/*
 * Through libc, so that a sanitizer sees it: memory that one thread gives back
 * may be given to another.
 */
void *__wrap_la_memory_map_for(enum la_memory_use use, size_t bytes);
void __wrap_la_memory_unmap_for(enum la_memory_use use, void *memory,
				size_t bytes);

/* What blocks are in, and copies for walks. */
static const LargestIntegralType uses[] = { LA_MEMORY_LIVE,
					    LA_MEMORY_SNAPSHOT };

static uint64_t mapped;
static bool no_memory;

void *__wrap_la_memory_map_for(enum la_memory_use use, size_t bytes)
{
	void *memory;

	assert_in_set(use, uses, array_length(uses));
	if (no_memory)
		return NULL;
	if (use == LA_MEMORY_LIVE)
		__atomic_add_fetch(&mapped, bytes, __ATOMIC_RELAXED);
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

void __wrap_la_memory_unmap_for(enum la_memory_use use, void *memory,
				size_t bytes)
{
	if (!memory)
		return;
	if (use == LA_MEMORY_LIVE)
		__atomic_sub_fetch(&mapped, bytes, __ATOMIC_RELAXED);
	assert_int_equal(munmap(memory, bytes), 0);
}

static inline struct la_block block_at(uintptr_t address)
{
	struct la_block block = { 0, 0 };

	assert_true(la_heap_remove(address, &block));
	return block;
}

static inline void assert_unknown(uintptr_t address)
{
	struct la_block block = { 11, 22 };

	assert_false(la_heap_remove(address, &block));
	assert_int_equal(block.bytes, 11);
	assert_int_equal(block.site, 22);
}

struct totals {
	uint64_t blocks, bytes, sites;
};

static inline void add_up(void *argument, uintptr_t address,
			  struct la_block block, uint64_t interval)
{
	(void)address;
	(void)interval;
	struct totals *totals = argument;

	totals->blocks++;
	totals->bytes += block.bytes;
	totals->sites += block.site;
}

static inline struct totals all_blocks(void)
{
	struct totals totals = { 0 };

	la_heap_walk(add_up, &totals);
	return totals;
}

#endif
