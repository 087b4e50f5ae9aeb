/* build: -O2 -fomit-frame-pointer */
/*
 * Two callers, one after the other, in whose frames the same function is called
 * from the same place, at the same stack pointer, with the same return
 * addresses further in: only what lies further out tells them apart. The room
 * that one takes more is made up for by alloca, and is not written to: what the
 * other one left there can still be read. With an odd turn, all that tells is
 * the frame pointer that the innermost function has saved.
 *
 * usage: twins TIMES
 */
#include "tests/programs/stacks.h"

#include <alloca.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uintptr_t places[2]; /* of the innermost frame, for either caller */

NOINLINE static void twin_plain(int which)
{
	char here;

	places[which] = (uintptr_t)&here;
	keep(which ? 20 : 10);
	USED(&here);
}

/* Saves rbp and has another use for it. */
NOINLINE static void twin_saving(int which)
{
	register uintptr_t number __asm__("rbp") = 0x1111222233334448;
	char here;

	__asm__ volatile("" : "+r"(number));
	places[which] = (uintptr_t)&here;
	keep(which ? 20 : 10);
	__asm__ volatile("" : "+r"(number));
	USED(&here);
}

static void (*leaf)(int which);

/* Takes as much room as makes the next frame begin at `target`. */
NOINLINE static void twin_middle(int which, uintptr_t target)
{
	char *here = alloca(16);
	char *room = alloca((size_t)((uintptr_t)here - target));

	USED(room);
	leaf(which);
	USED(room);
}

NOINLINE static void twin_left(uintptr_t target)
{
	twin_middle(0, target);
	NO_TAIL_CALL;
}

NOINLINE static void twin_right(uintptr_t target)
{
	char more[512];

	USED(more);
	twin_middle(1, target);
	USED(more);
}

/* One place to call them from. */
NOINLINE static void twin_root(int which, uintptr_t target)
{
	static void (*const twins[])(uintptr_t) = { twin_left, twin_right };

	twins[which](target);
	NO_TAIL_CALL;
}

int main(int argc, char **argv)
{
	long times = argc > 1 ? atol(argv[1]) : 1;
	char here;
	uintptr_t target = ((uintptr_t)&here & ~(uintptr_t)63) - 8192;

	for (long i = 0; i < times; i++) {
		leaf = i % 2 ? twin_saving : twin_plain;
		for (int which = 0; which < 2; which++)
			twin_root(which, target);
		if (places[0] != places[1])
			return 1;
	}
	puts("done");
	return 0;
}
