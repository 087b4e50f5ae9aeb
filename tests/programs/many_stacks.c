/* build: -O1 -fno-optimize-sibling-calls */
/*
 * Allocates from as many different stacks as it is told to, and frees each
 * block at once; one in 1,000 is kept. Each path through a tree of calls, two
 * at each of LEVELS, is another stack.
 *
 * usage: many_stacks STACKS
 */
#include <stdio.h>
#include <stdlib.h>

#define NOINLINE __attribute__((noinline))
#define SIZE 24

enum { LEVELS = 26, KEPT_EVERY = 1000 };

static unsigned long left;
static void *kept; /* a list */

NOINLINE static void leaf(void)
{
	void **block = malloc(SIZE);

	if (!block)
		abort();
	*block = kept;
	if (left-- % KEPT_EVERY)
		free(block);
	else
		kept = block;
}

NOINLINE static void descend(int level)
{
	if (!left)
		return;
	if (level == LEVELS) {
		leaf();
		return;
	}
	descend(level + 1);
	descend(level + 1);
}

int main(int argc, char **argv)
{
	unsigned long count = 0;

	setvbuf(stdout, NULL, _IONBF, 0);
	left = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
	descend(0);
	for (void **block = kept; block; block = *block)
		count++;
	printf("%lu kept\n", count);
	return 0;
}
