/*
 * Memory of a program that runs once and ends. Nothing here returns NULL: when
 * the system has no more memory there is no report to save, so the program
 * says so and exits with status 2. The exception is an arena with a limit,
 * which lets a hostile input be refused instead.
 */
#ifndef DIFF_MEMORY_H
#define DIFF_MEMORY_H

#include <stddef.h>

/* Says so and ends the program. */
_Noreturn void memory_exhausted(void);

/* Zero-filled; release with free(). */
void *memory_alloc(size_t count, size_t size);

/* As realloc for `count` elements of `size`; new space is not cleared. */
void *memory_resize(void *block, size_t count, size_t size);

char *memory_copy_text(const char *text);

/*
 * Makes room for one more element in an array that holds `count` and has space
 * for *capacity. Returns the array, which may have moved.
 */
void *memory_extend(void *array, size_t count, size_t *capacity, size_t size);

/*
 * Many small blocks that are released together. An arena that is all zeros is
 * empty and has no limit. Not thread-safe.
 */
struct arena {
	struct arena_block *blocks;
	char *next;
	size_t left;
	size_t used;  /* bytes taken from the system */
	size_t limit; /* 0 = none; else arena_alloc returns NULL beyond it */
};

/* Not cleared, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t size);
void arena_free(struct arena *arena);

#endif
