/* build: -O2 -fomit-frame-pointer */
/*
 * Frames that use rbp for a number, for an address on the stack that is no
 * frame's, or as a frame pointer, one below the other: what is in it tells
 * nothing of the stack.
 *
 * usage: other_registers ROUNDS
 */
#include "tests/programs/stacks.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned turn;

static void go_on(int depth);

NOINLINE static void rbp_number(int depth)
{
	register uintptr_t number __asm__("rbp") = 0x1111222233334448 + turn;

	__asm__ volatile("" : "+r"(number));
	go_on(depth);
	__asm__ volatile("" : "+r"(number));
}

/* Looks like the frame of a function that was called from here. */
NOINLINE static void rbp_false_frame(int depth)
{
	uintptr_t words[4] = { 0, (uintptr_t)&rbp_number + 5, 0, 0 };
	register uintptr_t address __asm__("rbp") = (uintptr_t)words;

	__asm__ volatile("" : "+r"(address) : : "memory");
	go_on(depth);
	__asm__ volatile("" : "+r"(address) : : "memory");
}

NOINLINE static void rbp_zero(int depth)
{
	register uintptr_t zero __asm__("rbp") = 0;

	__asm__ volatile("" : "+r"(zero));
	go_on(depth);
	__asm__ volatile("" : "+r"(zero));
}

NOINLINE static void rbp_frame(int depth)
{
	FRAME_POINTER;
	go_on(depth);
	NO_TAIL_CALL;
}

NOINLINE static void rbp_untouched(int depth)
{
	char room[40];

	USED(room);
	go_on(depth);
	USED(room);
}

NOINLINE static void go_on(int depth)
{
	static void (*const ways[])(int) = {
		rbp_number, rbp_false_frame, rbp_zero, rbp_frame, rbp_untouched,
	};

	borrow(24);
	if (depth > 0)
		ways[turn++ * 7 % 5](depth - 1);
	NO_TAIL_CALL;
}

/* The one whose stack is known. */
NOINLINE static void rbp_known_inner(void)
{
	register uintptr_t number __asm__("rbp") = turn;

	__asm__ volatile("" : "+r"(number));
	keep(100);
	__asm__ volatile("" : "+r"(number));
}

NOINLINE static void rbp_known(void)
{
	FRAME_POINTER;
	rbp_known_inner();
	NO_TAIL_CALL;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 1;

	for (int i = 0; i < rounds; i++) {
		go_on(i % 12);
		rbp_known();
	}
	puts("done");
	return 0;
}
