/* See memory.h. */

#include "agent/memory.h"

#include "agent/lock.h"
#include "agent/system.h"

#include <stdint.h>

enum { KEEP_CHUNK = 64 * 1024, PAGE = 4096 };

static size_t mapped_bytes;

static struct {
	char *next;
	size_t left;
} keep;

static size_t page_round(size_t bytes)
{
	return (bytes + PAGE - 1) & ~(size_t)(PAGE - 1);
}

void *la_memory_map(size_t bytes)
{
	long result = la_sys_mmap(NULL, page_round(bytes),
				  PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (la_sys_failed(result))
		return NULL;
	__atomic_add_fetch(&mapped_bytes, page_round(bytes), __ATOMIC_RELAXED);
	return (void *)result;
}

void la_memory_unmap(void *memory, size_t bytes)
{
	if (!memory)
		return;
	la_sys_munmap(memory, page_round(bytes));
	__atomic_sub_fetch(&mapped_bytes, page_round(bytes), __ATOMIC_RELAXED);
}

static void *keep_carve(size_t bytes)
{
	if (keep.left < bytes) {
		char *chunk = la_memory_map(KEEP_CHUNK);

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
		return la_memory_map(bytes);
	la_lock(LA_LOCK_MEMORY);
	memory = keep_carve(bytes);
	la_unlock(LA_LOCK_MEMORY);
	return memory;
}

size_t la_memory_bytes(void)
{
	return __atomic_load_n(&mapped_bytes, __ATOMIC_RELAXED);
}
