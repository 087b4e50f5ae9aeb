/*
 * Allocation that cannot fail, and arenas.
 */
#include "diff/memory.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK ((size_t)1 << 20)

struct arena_block {
	struct arena_block *next;
	alignas(max_align_t) char bytes[];
};

void memory_exhausted(void)
{
	fputs("leakdiff: out of memory\n", stderr);
	exit(2);
}

void *memory_alloc(size_t count, size_t size)
{
	void *block = calloc(count ? count : 1, size ? size : 1);

	if (!block)
		memory_exhausted();
	return block;
}

void *memory_resize(void *block, size_t count, size_t size)
{
	block = reallocarray(block, count ? count : 1, size);
	if (!block)
		memory_exhausted();
	return block;
}

char *memory_copy_text(const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(memory_resize(NULL, size, 1), text, size);
}

void *memory_extend(void *array, size_t count, size_t *capacity, size_t size)
{
	if (count < *capacity)
		return array;
	*capacity = *capacity ? *capacity * 2 : 16;
	return memory_resize(array, *capacity, size);
}

/*
 * Large blocks get space of their own and leave the current small-block space
 * in place, so that one of them wastes nothing.
 */
static void *arena_add_block(struct arena *arena, size_t size, size_t space)
{
	struct arena_block *block;
	size_t total = sizeof(*block) + space;

	if (arena->limit && (space > arena->limit ||
			     arena->used + total > arena->limit))
		return NULL;
	block = malloc(total);
	if (!block)
		memory_exhausted();
	block->next = arena->blocks;
	arena->blocks = block;
	arena->used += total;
	if (space > size) {
		arena->next = block->bytes + size;
		arena->left = space - size;
	}
	return block->bytes;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	size_t align = alignof(max_align_t);
	void *block;

	if (size > SIZE_MAX / 2)
		return arena->limit ? NULL : (memory_exhausted(), NULL);
	size = size ? (size + align - 1) / align * align : align;
	if (size <= arena->left) {
		block = arena->next;
		arena->next += size;
		arena->left -= size;
		return block;
	}
	if (size > ARENA_BLOCK / 4)
		return arena_add_block(arena, size, size);
	return arena_add_block(arena, size, ARENA_BLOCK);
}

void arena_free(struct arena *arena)
{
	while (arena->blocks) {
		struct arena_block *next = arena->blocks->next;

		free(arena->blocks);
		arena->blocks = next;
	}
	arena->next = NULL;
	arena->left = 0;
	arena->used = 0;
}
