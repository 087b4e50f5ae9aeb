/* See memory.h. */

#include "agent/memory.h"

#include "agent/lock.h"
#include "agent/system.h"

enum { KEEP_CHUNK = 64 * 1024, PAGE = 4096 };

static uint64_t limit = UINT64_MAX;

/* Mapped bytes by use; and those of all uses but snapshots, with the reserve. */
static uint64_t mapped[LA_MEMORY_USES];
static uint64_t reserved;
static uint64_t spoken_for;

static struct {
	char *next;
	size_t left;
} keep;

static size_t page_round(size_t bytes)
{
	return (bytes + PAGE - 1) & ~(size_t)(PAGE - 1);
}

/* What a use may have, and what there may be when it asks for more. */
static uint64_t share(enum la_memory_use use)
{
	switch (use) {
	case LA_MEMORY_STACKS:
		return limit / 2;
	case LA_MEMORY_LIVE:
		return limit - limit / 4;
	default:
		return limit;
	}
}

static uint64_t ceiling(enum la_memory_use use)
{
	switch (use) {
	case LA_MEMORY_REST:
		return limit;
	case LA_MEMORY_THREADS:
		return limit - limit / 16;
	default:
		return limit - limit / 8;
	}
}

static uint64_t less(uint64_t most, const uint64_t *used)
{
	uint64_t now = __atomic_load_n(used, __ATOMIC_RELAXED);

	return now < most ? most - now : 0;
}

/*
 * Adds to a sum unless it would be more than `most`. Threads that keep asking
 * when there is nothing left write nothing that they share.
 */
static bool add_up_to(uint64_t *sum, uint64_t bytes, uint64_t most)
{
	if (less(most, sum) < bytes)
		return false;
	if (__atomic_add_fetch(sum, bytes, __ATOMIC_RELAXED) <= most)
		return true;
	__atomic_sub_fetch(sum, bytes, __ATOMIC_RELAXED);
	return false;
}

static void subtract(uint64_t *sum, uint64_t bytes)
{
	__atomic_sub_fetch(sum, bytes, __ATOMIC_RELAXED);
}

/* What is reserved is on the stacks' account. */
static bool take(enum la_memory_use use, uint64_t bytes)
{
	uint64_t most = share(use);

	if (use == LA_MEMORY_SNAPSHOT)
		return add_up_to(&mapped[use], bytes, UINT64_MAX);
	if (use == LA_MEMORY_STACKS)
		most = less(most, &reserved);
	if (!add_up_to(&mapped[use], bytes, most))
		return false;
	if (add_up_to(&spoken_for, bytes, ceiling(use)))
		return true;
	subtract(&mapped[use], bytes);
	return false;
}

static void give(enum la_memory_use use, uint64_t bytes)
{
	subtract(&mapped[use], bytes);
	if (use != LA_MEMORY_SNAPSHOT)
		subtract(&spoken_for, bytes);
}

void la_memory_boot(uint64_t bytes)
{
	limit = bytes ? bytes : UINT64_MAX;
}

uint64_t la_memory_limit(void)
{
	return limit == UINT64_MAX ? 0 : limit;
}

void *la_memory_map_for(enum la_memory_use use, size_t bytes)
{
	long result;

	bytes = page_round(bytes);
	if (!take(use, bytes))
		return NULL;
	result = la_sys_mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!la_sys_failed(result))
		return (void *)result;
	give(use, bytes);
	return NULL;
}

void la_memory_unmap_for(enum la_memory_use use, void *memory, size_t bytes)
{
	if (!memory)
		return;
	la_sys_munmap(memory, page_round(bytes));
	give(use, page_round(bytes));
}

void *la_memory_map(size_t bytes)
{
	return la_memory_map_for(LA_MEMORY_REST, bytes);
}

void la_memory_unmap(void *memory, size_t bytes)
{
	la_memory_unmap_for(LA_MEMORY_REST, memory, bytes);
}

bool la_memory_reserve(size_t bytes)
{
	uint64_t most = less(share(LA_MEMORY_STACKS),
			     &mapped[LA_MEMORY_STACKS]);

	if (!add_up_to(&reserved, bytes, most))
		return false;
	if (add_up_to(&spoken_for, bytes, ceiling(LA_MEMORY_STACKS)))
		return true;
	subtract(&reserved, bytes);
	return false;
}

static void *keep_carve(size_t bytes)
{
	if (keep.left < bytes) {
		char *chunk = la_memory_map_for(LA_MEMORY_THREADS, KEEP_CHUNK);

		if (!chunk)
			return NULL;
		keep.next = chunk;
		keep.left = KEEP_CHUNK;
	}
	void *memory = keep.next;

	keep.next += bytes;
	keep.left -= bytes;
	return memory;
}

void *la_memory_keep(size_t bytes)
{
	void *memory;

	bytes = (bytes + 15) & ~(size_t)15;
	if (bytes > KEEP_CHUNK / 4)
		return la_memory_map_for(LA_MEMORY_THREADS, bytes);
	la_lock(LA_LOCK_MEMORY);
	memory = keep_carve(bytes);
	la_unlock(LA_LOCK_MEMORY);
	return memory;
}

size_t la_memory_bytes(void)
{
	uint64_t sum = 0;

	for (int use = 0; use < LA_MEMORY_USES; use++)
		sum += __atomic_load_n(&mapped[use], __ATOMIC_RELAXED);
	return sum;
}
