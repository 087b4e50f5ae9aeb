/* build: -O2 -fomit-frame-pointer */
/*
 * Frames whose size is only known when they are made: alloca, in loops, too,
 * and arrays of variable length, each below the others, in random order.
 *
 * usage: frame_sizes ROUNDS
 */
#include "tests/programs/stacks.h"

#include <alloca.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 88172645463325252u;

static unsigned random_below(unsigned limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 20) % limit;
}

static void go_on(int depth);

NOINLINE static void with_alloca(int depth)
{
	char *room = alloca(1 + random_below(300));

	USED(room);
	go_on(depth);
	USED(room);
}

NOINLINE static void with_allocas(int depth)
{
	for (int i = 0; i < 3; i++) {
		char *room = alloca(1 + random_below(100));

		USED(room);
		go_on(depth);
	}
	NO_TAIL_CALL;
}

NOINLINE static void with_array(int depth)
{
	char room[1 + random_below(300)];

	memset(room, 1, sizeof(room));
	USED(room);
	go_on(depth);
	USED(room);
}

NOINLINE static void with_arrays(int depth)
{
	for (int i = 0; i < 3; i++) {
		long room[1 + random_below(40)];

		USED(room);
		go_on(depth);
		USED(room);
	}
	NO_TAIL_CALL;
}

NOINLINE static void go_on(int depth)
{
	static void (*const ways[])(int) = { with_alloca, with_allocas,
					     with_array, with_arrays };

	borrow(40);
	if (depth > 0)
		ways[random_below(4)](depth - 1);
	NO_TAIL_CALL;
}

/* The one whose stack is known. */
NOINLINE static void size_known(void)
{
	char room[1 + random_below(300)];

	USED(room);
	keep(100);
	USED(room);
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) : 1;

	for (long i = 0; i < rounds; i++) {
		go_on(8);
		size_known();
	}
	puts("done");
	return 0;
}
