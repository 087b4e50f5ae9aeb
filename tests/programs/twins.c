/* build: -O2 -fomit-frame-pointer */
/*
 * Two callers, one after the other, in whose frames the same function is called
 * from the same place, at the same stack pointer, with the same return
 * addresses further in: only what lies further out tells them apart. The room
 * that one takes more is made up for by alloca.
 *
 * usage: twins TIMES
 */
#include "tests/programs/stacks.h"

#include <alloca.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uintptr_t places[2]; /* of the innermost frame, for either caller */

NOINLINE static void twin_leaf(int which)
{
	places[which] = (uintptr_t)__builtin_frame_address(0);
	keep(which ? 20 : 10);
	NO_TAIL_CALL;
}

/* Takes as much room as makes the next frame begin at `target`. */
NOINLINE static void twin_middle(int which, uintptr_t target)
{
	char *here = alloca(16);
	char *room = alloca((size_t)((uintptr_t)here - target));

	USED(room);
	twin_leaf(which);
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

int main(int argc, char **argv)
{
	long times = argc > 1 ? atol(argv[1]) : 1;
	char here;
	uintptr_t target = ((uintptr_t)&here & ~(uintptr_t)63) - 8192;

	for (long i = 0; i < times; i++) {
		twin_left(target);
		twin_right(target);
		if (places[0] != places[1])
			return 1;
	}
	puts("done");
	return 0;
}
