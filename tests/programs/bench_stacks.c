/* build: -O2 */
/*
 * Makes as many distinct stacks of 30 frames as asked, each with a live block,
 * then allocates and frees on in two threads until it is told to end.
 *
 * On its standard input: "grow" adds a block to every tenth stack; the end of
 * the input ends it. Says "ready" and "grown". At its end it tells the longest
 * time that one malloc and free took in those threads, in microseconds.
 *
 * usage: bench_stacks STACKS
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOINLINE __attribute__((noinline))
/* Levels of the tree of calls: each step is one of two functions. main, the
 * leaf and libc's start-up make up the rest of the 30 frames. */
#define LEVELS 24
#define HOST_THREADS 2

static atomic_bool threads_end;
static atomic_ulong blocks;
static volatile unsigned steps;

NOINLINE static void leaf(void)
{
	char *volatile block = malloc(48);

	if (!block)
		abort();
	block[0] = 1;
	blocks++;
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

static unsigned long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned long)now.tv_sec * 1000000 +
	       (unsigned long)now.tv_nsec / 1000;
}

static void *host_thread(void *longest)
{
	unsigned long worst = 0;

	while (!threads_end) {
		unsigned long start = now_us();
		char *volatile block = malloc(200);

		free(block);
		start = now_us() - start;
		if (start > worst)
			worst = start;
	}
	*(unsigned long *)longest = worst;
	return NULL;
}

NOINLINE static void make(unsigned stacks, unsigned every)
{
	for (unsigned path = 0; path < stacks; path += every)
		descend(path, LEVELS);
}

static void start_threads(pthread_t *threads, unsigned long *longest)
{
	for (int i = 0; i < HOST_THREADS; i++)
		if (pthread_create(&threads[i], NULL, host_thread, &longest[i]))
			abort();
}

int main(int argc, char **argv)
{
	unsigned long longest[HOST_THREADS];
	pthread_t threads[HOST_THREADS];
	volatile unsigned every = 1;
	unsigned stacks;
	char line[32];

	if (argc != 2) {
		fputs("usage: bench_stacks STACKS\n", stderr);
		return 2;
	}
	stacks = (unsigned)strtoul(argv[1], NULL, 10);
	do {
		/* One call for all, so that growth is in the same stacks. */
		make(stacks, every);
		if (every == 1)
			start_threads(threads, longest);
		puts(every == 1 ? "ready" : "grown");
		fflush(stdout);
		every = 10;
	} while (fgets(line, sizeof(line), stdin));
	threads_end = 1;
	for (int i = 0; i < HOST_THREADS; i++) {
		pthread_join(threads[i], NULL);
		printf("longest pause %lu us\n", longest[i]);
	}
	return 0;
}
