/* What the programs share that allocate on stacks of all manners. */
#ifndef TESTS_STACKS_H
#define TESTS_STACKS_H

#include <stdlib.h>

/* A function that is called as it is written. */
#ifdef __clang__
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE __attribute__((noipa))
#endif

/* So that a call before it is not the last thing that a function does. */
#define NO_TAIL_CALL __asm__ volatile("" : : : "memory")

/* So that what it points to is really there. */
#define USED(pointer) __asm__ volatile("" : : "r"(pointer) : "memory")

/* Gives a function a frame pointer. */
#define FRAME_POINTER USED(__builtin_frame_address(0))

/* A block that is never given back. */
NOINLINE __attribute__((unused)) static void keep(size_t bytes)
{
	void *volatile block = malloc(bytes);

	if (!block)
		abort();
}

/* One that is. */
NOINLINE __attribute__((unused)) static void borrow(size_t bytes)
{
	void *volatile block = malloc(bytes);

	free(block);
}

#endif
