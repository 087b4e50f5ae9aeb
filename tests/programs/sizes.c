/* build: -fno-builtin */
/*
 * Sizes at the ends of what there is, and calls that fail: prints what becomes
 * of each, the same without the agent.
 *
 * Blocks that are kept come from keep_* functions; what can only fail is asked
 * for by refused().
 *
 * usage: sizes odd            0, overflowing products, up to SIZE_MAX
 *        sizes large          blocks and mappings of more than 4 GiB
 *        sizes limited FILE   until RLIMIT_AS is reached, again and again, from
 *                             several threads; FILE is told how many succeeded
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define NOINLINE __attribute__((noinline))

/* Compilers warn of such constants. */
static const volatile size_t half = PTRDIFF_MAX, most = SIZE_MAX,
			     word = (size_t)1 << 32;
#define ODD_SIZE 333

int leakagent_snapshot(const char *reason) __attribute__((weak));

static void *volatile kept[64];
static unsigned count;

NOINLINE static void told(const char *what, const void *block)
{
	printf("%s: %s, errno %d\n", what, block ? "a block" : "nothing",
	       errno);
	errno = 0;
}

/* ---- odd ---- */

NOINLINE static void *keep_odd(void)
{
	void *block = malloc(ODD_SIZE);

	memset(block, 1, ODD_SIZE);
	return kept[count++] = block;
}

#define TRY(call) told(#call, (void *)(call))

NOINLINE static void refused(void *block)
{
	void *aligned = NULL;

	for (size_t less = 0; less < 5000; less += 7) {
		if (malloc(most - less) || malloc(half - less) ||
		    calloc(1, most - less) || realloc(block, most - less) ||
		    memalign(64, most - less) || valloc(most - less) ||
		    pvalloc(most - less) || aligned_alloc(64, most - less) ||
		    !posix_memalign(&aligned, 64, most - less))
			printf("%zu less than everything was given\n", less);
		if (errno != ENOMEM)
			printf("errno is %d\n", errno);
	}
	errno = 0;
	TRY(malloc(half + 1));
	TRY(calloc(most, 2));
	TRY(calloc(2, most));
	TRY(calloc(half, 3));
	TRY(calloc(word, word));
	TRY(calloc(word + 1, word));
	TRY(realloc(NULL, most));
	TRY(reallocarray(block, most, 2));
	TRY(reallocarray(NULL, 2 * word, 2 * word));
	TRY(memalign(word << 30, 1));
	printf("posix_memalign: %d\n", posix_memalign(&aligned, 3, 100));
	errno = 0;
	if (mmap(NULL, most & ~(size_t)4095, PROT_READ,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		told("mmap", NULL);
	if (mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	    MAP_FAILED)
		told("mmap of nothing", NULL);
}

NOINLINE static void nothings(void)
{
	void *one = malloc(0), *two = malloc(0);

	printf("two of nothing: %s\n", one != two ? "distinct" : "the same");
	free(one);
	free(two);
	errno = 0;
	TRY(calloc(0, 10));
	TRY(calloc(most, 0));
	TRY(realloc(NULL, 0));
	TRY(realloc(malloc(100), 0));
	TRY(reallocarray(malloc(100), most, 0));
	TRY(memalign(64, 0));
	free(NULL);
}

NOINLINE static void *keep_grown(void)
{
	char *block = realloc(NULL, 10);

	strcpy(block, "grown");
	block = realloc(block, 100000);
	block = realloc(block, 444);
	printf("it has %s\n", block);
	return kept[count++] = block;
}

static void odd(void)
{
	/* Calls that fail leave it as it was. */
	refused(keep_odd());
	nothings();
	keep_grown();
	for (size_t i = 0; i < ODD_SIZE; i++)
		if (((char *)kept[0])[i] != 1)
			printf("byte %zu has changed\n", i);
}

/* ---- large ---- */

#define LARGE (((size_t)4 << 30) + 12345)

/* Machines with little memory refuse some: what they give is printed. */
NOINLINE static void *keep_large(int how)
{
	void *block = NULL, *more;

	switch (how) {
	case 0:
		block = malloc(LARGE);
		break;
	case 1:
		block = calloc(LARGE / 5, 5);
		break;
	case 2:
		block = malloc(1000);
		more = realloc(block, LARGE);
		block = more ? more : block;
		break;
	case 3:
		block = aligned_alloc(4096, (size_t)1 << 33);
		break;
	}
	if (block)
		*(char *)block = 1;
	return kept[count++] = block;
}

NOINLINE static void *keep_map(void)
{
	void *map = mmap(NULL, LARGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return map == MAP_FAILED ? NULL : map;
}

static void large(void)
{
	static const size_t sizes[] = { LARGE, LARGE / 5 * 5, LARGE,
					(size_t)1 << 33 };

	for (int how = 0; how < 4; how++) {
		void *block = keep_large(how);
		int got = block && malloc_usable_size(block) >= sizes[how];

		printf("large %d %zu\n", got, got ? sizes[how] : 0);
	}
	printf("map %d %zu\n", keep_map() != NULL,
	       (LARGE + 4095) / 4096 * 4096);
}

/* ---- limited ---- */

enum { THREADS = 4, ROUNDS = 5, BLOCK = 300000, MOST = 2000 };

static unsigned long succeeded, refusals;
static pthread_barrier_t begun, limited_now;

NOINLINE static void *keep_limited(size_t size)
{
	return malloc(size);
}

NOINLINE static void *exhaust(void *unused)
{
	static void *blocks[THREADS][MOST];
	static unsigned place;
	void **mine = blocks[__atomic_fetch_add(&place, 1, __ATOMIC_RELAXED)];

	(void)unused;
	/* In its first round a thread gets what it needs itself. */
	for (int round = 0; round <= ROUNDS; round++) {
		unsigned got = 0, most_now = round ? MOST : 1;

		while (got < most_now && (mine[got] = keep_limited(BLOCK)))
			got++;
		__atomic_fetch_add(&succeeded, got, __ATOMIC_RELAXED);
		if (got < most_now && errno == ENOMEM)
			__atomic_fetch_add(&refusals, 1, __ATOMIC_RELAXED);
		while (got)
			free(mine[--got]);
		if (!round) {
			pthread_barrier_wait(&begun);
			pthread_barrier_wait(&limited_now);
		}
	}
	return NULL;
}

static size_t address_space(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	size_t pages = 0;

	if (!file || fscanf(file, "%zu", &pages) != 1)
		abort();
	fclose(file);
	return pages * 4096;
}

static void limited(const char *path)
{
	struct rlimit limit = { 0, 0 }, before;
	pthread_t threads[THREADS];
	FILE *file = fopen(path, "w");

	pthread_barrier_init(&begun, NULL, THREADS + 1);
	pthread_barrier_init(&limited_now, NULL, THREADS + 1);
	getrlimit(RLIMIT_AS, &before);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, exhaust, NULL);
	pthread_barrier_wait(&begun);
	limit = before;
	limit.rlim_cur = address_space() + (100 << 20);
	setrlimit(RLIMIT_AS, &limit);
	pthread_barrier_wait(&limited_now);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	setrlimit(RLIMIT_AS, &before);
	kept[count++] = keep_limited(777);
	fprintf(file, "%lu\n", succeeded + 1);
	fclose(file);
	printf("some were refused: %d\n", refusals > 0);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc > 2)
		limited(argv[2]);
	else if (argc > 1 && !strcmp(argv[1], "large"))
		large();
	else
		odd();
	if (leakagent_snapshot)
		leakagent_snapshot("end");
	return 0;
}
