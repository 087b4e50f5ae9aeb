/* build: -O2 */
/*
 * Calls that are the last thing a function does: the compiler makes them jumps,
 * and the function is gone from the stack when the next one runs. Some lead to
 * frames of other sizes at the same return address.
 *
 * usage: tail_calls ROUNDS
 */
#include "tests/programs/stacks.h"

#include <stdio.h>
#include <stdlib.h>

static volatile int sink;

NOINLINE static int tail_end(int n)
{
	keep(10);
	sink = n;
	return n;
}

NOINLINE static int tail_wide(int n)
{
	int a = sink, b = a * n, c = b + sink;

	borrow((size_t)n);
	sink = a;
	borrow((size_t)n + 1);
	sink = b;
	return tail_end(n + c);
}

/* Not on the stack when tail_end runs, whichever way it goes. */
NOINLINE static int tail_jump(int n)
{
	return n % 2 ? tail_end(n) : tail_wide(n);
}

NOINLINE static int tail_pointer(int n)
{
	static int (*const ways[])(int) = { tail_jump, tail_wide, tail_end };

	borrow(33);
	return ways[n % 3](n + 16);
}

NOINLINE static int tail_caller(int n)
{
	int result = tail_pointer(n);

	NO_TAIL_CALL;
	return result + 1;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 1;

	for (int i = 0; i < rounds; i++)
		tail_caller(i);
	puts("done");
	return 0;
}
