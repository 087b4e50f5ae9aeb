/* build: -O2 */
/*
 * Makes as many distinct stacks of 30 frames as asked, each with some live
 * blocks, and then measures how long a thread that allocates is held up.
 *
 * On its standard input:
 *   grow      adds a block to every tenth stack; says "grown"
 *   gaps MS   allocates and frees for so long in a thread called gaps, and
 *             tells the longest time between two operations: gap_us= of all,
 *             held_us= of those in which no other thread was given its core,
 *             and preempted= how often one was
 * It says "ready" first. The end of the input ends it.
 *
 * usage: bench_stacks STACKS BLOCKS
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define NOINLINE __attribute__((noinline))
/* Levels of the tree of calls: each step is one of two functions. main, the
 * leaf and libc's start-up make up the rest of the 30 frames. */
#define LEVELS 24

static volatile unsigned steps;
static unsigned blocks;

NOINLINE static void leaf(void)
{
	for (unsigned i = 0; i < blocks; i++) {
		char *volatile block = malloc(48);

		if (!block)
			abort();
		block[0] = 1;
	}
}

static void go_left(unsigned path, int levels);
static void go_right(unsigned path, int levels);

__attribute__((always_inline)) static inline void descend(unsigned path,
							   int levels)
{
	if (!levels)
		leaf();
	else if (path & 1)
		go_right(path >> 1, levels - 1);
	else
		go_left(path >> 1, levels - 1);
}

NOINLINE static void go_left(unsigned path, int levels)
{
	descend(path, levels);
	steps += 1;
}

NOINLINE static void go_right(unsigned path, int levels)
{
	descend(path, levels);
	steps += 2;
}

NOINLINE static void make(unsigned stacks, unsigned every)
{
	for (unsigned path = 0; path < stacks; path += every)
		descend(path, LEVELS);
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static long preemptions(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nivcsw;
}

static void *measure_gaps(void *duration_ns)
{
	uint64_t start = now_ns(CLOCK_MONOTONIC);
	uint64_t end = start + *(uint64_t *)duration_ns;
	uint64_t longest = 0, longest_held = 0;
	long before = preemptions();
	long older = before, seen = before; /* from before start, and after */

	while (start < end) {
		char *volatile block = malloc(200);
		uint64_t now;
		long count;

		free(block);
		now = now_ns(CLOCK_MONOTONIC);
		if (now - start > longest)
			longest = now - start;
		count = preemptions();
		if (count == older && now - start > longest_held)
			longest_held = now - start;
		older = seen;
		seen = count;
		start = now;
	}
	printf("gap_us=%.1f held_us=%.1f preempted=%ld\n",
	       (double)longest / 1000, (double)longest_held / 1000,
	       seen - before);
	return NULL;
}

static void gaps_in_a_thread(uint64_t duration_ns)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, measure_gaps, &duration_ns))
		abort();
	pthread_setname_np(thread, "gaps");
	pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	volatile unsigned every = 1;
	char line[32] = "grow";
	const char *said = "ready";
	unsigned stacks;

	if (argc != 3) {
		fputs("usage: bench_stacks STACKS BLOCKS\n", stderr);
		return 2;
	}
	stacks = (unsigned)strtoul(argv[1], NULL, 10);
	blocks = (unsigned)strtoul(argv[2], NULL, 10);
	do {
		if (!strncmp(line, "gaps ", 5)) {
			gaps_in_a_thread(strtoul(line + 5, NULL, 10) * 1000000);
		} else {
			/* One call for all, so that growth is in the same
			 * stacks. */
			make(stacks, every);
			puts(said);
			every = 10;
			blocks = 1;
			said = "grown";
		}
		fflush(stdout);
	} while (fgets(line, sizeof(line), stdin));
	return 0;
}
