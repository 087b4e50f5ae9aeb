/* build: -O2 */
/*
 * Holds blocks of 16 to 256 bytes, and tells how much memory it has then.
 *
 * usage: bench_live BLOCKS [SPARSE]
 *
 * With SPARSE so many times as many are allocated, and all but BLOCKS of them,
 * chosen at random, freed again. It prints rss_kib=.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SMALLEST 16
#define LARGEST 256

static uint64_t state = 88172645463325252;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

__attribute__((noinline)) static void fill(void **held, unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		size_t size = SMALLEST + next_random() % (LARGEST - SMALLEST + 1);
		char *block = malloc(size);

		if (!block)
			abort();
		block[0] = 1;
		held[i] = block;
	}
}

/* Frees all but so many of them. */
static void thin(void **held, unsigned long count, unsigned long left)
{
	while (count > left) {
		unsigned long i = next_random() % count--;

		free(held[i]);
		held[i] = held[count];
	}
}

static long rss_kib(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long size, pages = 0;

	if (!file || fscanf(file, "%ld %ld", &size, &pages) != 2)
		abort();
	fclose(file);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

int main(int argc, char **argv)
{
	unsigned long blocks, sparse;
	void **held;

	if (argc < 2) {
		fputs("usage: bench_live BLOCKS [SPARSE]\n", stderr);
		return 2;
	}
	blocks = strtoul(argv[1], NULL, 10);
	sparse = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
	held = calloc(blocks * sparse + 1, sizeof(*held));
	if (!held)
		abort();
	fill(held, blocks * sparse);
	thin(held, blocks * sparse, blocks);
	printf("rss_kib=%ld\n", rss_kib());
	return 0;
}
