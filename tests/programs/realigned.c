/* build: -O2 -fomit-frame-pointer -mstackrealign */
/*
 * Functions that align their stack frames for what they hold, and so find the
 * caller's frame in ways of their own: with and without arguments on the stack,
 * with and without a frame pointer, with frames of unknown size, one below the
 * other.
 *
 * usage: realigned ROUNDS
 */
#include "tests/programs/stacks.h"

#include <alloca.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned turn;

static void go_on(int depth);

NOINLINE static void align_32(int depth)
{
	char room[32] __attribute__((aligned(32)));

	USED(room);
	go_on(depth);
	USED(room);
}

NOINLINE static void align_64_with_fp(int depth)
{
	char room[64] __attribute__((aligned(64)));

	FRAME_POINTER;
	USED(room);
	go_on(depth);
	USED(room);
}

NOINLINE static void align_4096(int depth)
{
	char room[64] __attribute__((aligned(4096)));

	USED(room);
	go_on(depth);
	USED(room);
}

/* What lies on its caller's stack it reaches through another register. */
NOINLINE static int align_with_arguments(int depth, int b, int c, int d, int e,
					 int f, int g, int h)
{
	char room[64] __attribute__((aligned(64)));
	char *more = alloca(16 + turn++ * 40 % 500);

	USED(room);
	USED(more);
	go_on(depth);
	USED(room);
	return b + c + d + e + f + g + h;
}

NOINLINE static void align_and_call(int depth)
{
	int sum = align_with_arguments(depth, 1, 2, 3, 4, 5, 6, 7);

	USED(&sum);
}

NOINLINE static int align_all(int depth, int b, int c, int d, int e,
				      int f, int g)
{
	char *more = alloca(1 + turn++ % 300);
	char room[32] __attribute__((aligned(32)));

	FRAME_POINTER;
	USED(more);
	USED(room);
	go_on(depth);
	USED(room);
	return b + c + d + e + f + g;
}

NOINLINE static void align_with_fp_too(int depth)
{
	int sum = align_all(depth, 1, 2, 3, 4, 5, 6);

	USED(&sum);
}

NOINLINE __attribute__((force_align_arg_pointer)) static void
align_argument_pointer(int depth)
{
	go_on(depth);
	NO_TAIL_CALL;
}

NOINLINE static void go_on(int depth)
{
	static void (*const ways[])(int) = {
		align_32,    align_64_with_fp, align_4096,
		align_with_fp_too, align_and_call,   align_argument_pointer,
	};

	borrow(24);
	if (depth > 0)
		ways[turn++ * 7 % 6](depth - 1);
	NO_TAIL_CALL;
}

NOINLINE static void align_known(void)
{
	char room[64] __attribute__((aligned(64)));

	USED(room);
	keep(100);
	USED(room);
}

NOINLINE static int align_known_outer(int a, int b, int c, int d, int e, int f,
				      int g)
{
	char room[64] __attribute__((aligned(64)));
	char *more = alloca(16 + turn++ * 40 % 500);

	USED(room);
	USED(more);
	align_known();
	USED(room);
	return a + b + c + d + e + f + g;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 1;

	for (int i = 0; i < rounds; i++) {
		go_on(i % 9);
		align_known_outer(1, 2, 3, 4, 5, 6, 7);
	}
	puts("done");
	return 0;
}
