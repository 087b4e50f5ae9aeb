/*
 * Allocates 1000 bytes at the end of a recursion of as many frames as asked.
 *
 * usage: depth FRAMES
 */
#include <stdlib.h>

void *depth_block;

__attribute__((noinline)) static void depth_leaf(void)
{
	depth_block = malloc(1000);
	if (!depth_block)
		abort();
}

/* Returns what it was called with, so that no call is the last thing done. */
__attribute__((noinline)) static int descend(int frames)
{
	if (frames > 0)
		return descend(frames - 1) + 1;
	depth_leaf();
	return 0;
}

int main(int argc, char **argv)
{
	int frames = argc > 1 ? atoi(argv[1]) : 0;

	return descend(frames) != frames;
}
