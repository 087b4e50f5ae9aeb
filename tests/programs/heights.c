/* build: -O2 */
/*
 * A stack that becomes very deep and shallow again: it goes up and down by all
 * kinds of steps, and allocates wherever it turns.
 *
 * usage: heights FRAMES
 */
#include "tests/programs/stacks.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t state = 88172645463325252u;
static long wanted; /* where to turn next */
static long turns_left;
static long most;

static long random_below(long limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (long)(state >> 20) % limit;
}

/* Mostly a little up or down, sometimes anywhere. */
static long next_height(long now)
{
	long next = random_below(50) ? now + random_below(300) - 150 :
				       random_below(most);

	return next < 1 ? 1 : next > most ? most : next;
}

/* Goes up until the wanted height, and returns where it is further down. */
NOINLINE static void climb(long height)
{
	while (turns_left > 0 && wanted >= height) {
		if (wanted > height) {
			climb(height + 1);
			continue;
		}
		turns_left--;
		borrow(64);
		wanted = next_height(height);
		if (wanted == height)
			wanted--;
	}
	NO_TAIL_CALL;
}

NOINLINE static long top(long frames)
{
	long above = 0;

	if (frames > 0)
		above = top(frames - 1) + 1;
	else
		keep(1000);
	NO_TAIL_CALL;
	return above;
}

int main(int argc, char **argv)
{
	most = argc > 1 ? atol(argv[1]) : 1000;
	turns_left = 5000;
	while (turns_left > 0) {
		wanted = 1 + random_below(most);
		climb(1);
	}
	if (top(most) != most)
		return 1;
	puts("done");
	return 0;
}
