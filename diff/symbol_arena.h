/*
 * Memory that is released all at once: the strings and frames which the
 * symboliser hands out. Not zeroed. One thread at a time.
 */
#ifndef SYMBOL_ARENA_H
#define SYMBOL_ARENA_H

#include <stddef.h>

struct symbol_arena_block;

/* All zero is an empty arena. */
struct symbol_arena {
	struct symbol_arena_block *blocks;
	size_t used; /* bytes of the newest block */
};

/* Aligned for any type. Returns NULL when out of memory. */
void *symbol_arena_alloc(struct symbol_arena *arena, size_t size);

/* Copies `length` bytes of text and ends them with a NUL; NULL as above. */
char *symbol_arena_text(struct symbol_arena *arena, const char *text,
			size_t length);

void symbol_arena_free(struct symbol_arena *arena);

#endif
