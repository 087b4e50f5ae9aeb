/* Blocks in a list, the newest first; a large request gets its own block. */
#include "diff/symbol_arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE ((size_t)64 * 1024)

struct symbol_arena_block {
	struct symbol_arena_block *next;
	size_t size;
	alignas(max_align_t) char bytes[];
};

void *symbol_arena_alloc(struct symbol_arena *arena, size_t size)
{
	const size_t align = alignof(max_align_t);
	struct symbol_arena_block *block = arena->blocks;
	void *memory;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + align - 1) & ~(align - 1);
	if (!block || block->size - arena->used < size) {
		size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;

		block = malloc(sizeof(*block) + room);
		if (!block)
			return NULL;
		block->next = arena->blocks;
		block->size = room;
		arena->blocks = block;
		arena->used = 0;
	}
	memory = block->bytes + arena->used;
	arena->used += size;
	return memory;
}

char *symbol_arena_text(struct symbol_arena *arena, const char *text,
			size_t length)
{
	char *copy = symbol_arena_alloc(arena, length + 1);

	if (copy) {
		memcpy(copy, text, length);
		copy[length] = '\0';
	}
	return copy;
}

void symbol_arena_free(struct symbol_arena *arena)
{
	while (arena->blocks) {
		struct symbol_arena_block *block = arena->blocks;

		arena->blocks = block->next;
		free(block);
	}
	arena->used = 0;
}
