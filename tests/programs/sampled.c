/* build: -O1 */
/*
 * Knows what it has allocated, for snapshots that are estimates.
 *
 * usage: sampled hold BYTES   each of several callsites allocates, in blocks of
 *                             its own sizes and in turns with the others, twice
 *                             so many bytes, and frees half of its blocks
 *        sampled flood BLOCKS STACKS   so many blocks from one callsite, every
 *                             other one freed again, and then one block from
 *                             each of so many stacks
 *        sampled threads THREADS   so many threads at once, with ten blocks each
 * It prints "CALLSITE ALLOC_OBJECTS ALLOC_BYTES INUSE_OBJECTS INUSE_BYTES" for
 * each callsite at its end. An allocation that fails is the end, too.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))

struct books {
	const char *callsite;
	unsigned long objects, bytes, live_objects, live_bytes;
};

static uint64_t state = 1;

/* xorshift64: Marsaglia, "Xorshift RNGs" (2003). */
static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void *checked(void *block)
{
	if (!block)
		abort();
	*(volatile char *)block = 1;
	return block;
}

/* A function for each callsite, named after its sizes. */
#define CALLSITE(name)                                                         \
	NOINLINE static void *hold_##name(size_t size)                         \
	{                                                                      \
		void *block = checked(malloc(size));                           \
                                                                               \
		__asm__ volatile("" : "+r"(block));                            \
		return block;                                                  \
	}

CALLSITE(16)
CALLSITE(100)
CALLSITE(1000)
CALLSITE(10000)
CALLSITE(100000)
CALLSITE(many)
CALLSITE(powers)

static const struct {
	void *(*hold)(size_t size);
	const char *name;
	size_t size; /* 0: of all sizes up to 5000, 1: 16 to 256k, doubling */
} callsites[] = {
	{ hold_16, "hold_16", 16 },
	{ hold_100, "hold_100", 100 },
	{ hold_1000, "hold_1000", 1000 },
	{ hold_10000, "hold_10000", 10000 },
	{ hold_100000, "hold_100000", 100000 },
	{ hold_many, "hold_many", 0 },
	{ hold_powers, "hold_powers", 1 },
};

enum { CALLSITES = sizeof(callsites) / sizeof(*callsites) };

static size_t size_at(unsigned callsite)
{
	size_t size = callsites[callsite].size;

	if (!size)
		return 1 + next_random() % 5000;
	return size == 1 ? (size_t)16 << next_random() % 15 : size;
}

static void tell(const struct books *books)
{
	printf("%s %lu %lu %lu %lu\n", books->callsite, books->objects,
	       books->bytes, books->live_objects, books->live_bytes);
}

static void allocate(unsigned callsite, struct books *books)
{
	size_t size = size_at(callsite);
	void *block = callsites[callsite].hold(size);

	books->objects++;
	books->bytes += size;
	if (next_random() % 2) {
		free(block);
		return;
	}
	books->live_objects++;
	books->live_bytes += size;
}

static void hold(unsigned long bytes)
{
	struct books books[CALLSITES];
	unsigned full;

	memset(books, 0, sizeof(books));
	do {
		full = 0;
		for (unsigned i = 0; i < CALLSITES; i++)
			if (books[i].live_bytes < bytes)
				allocate(i, &books[i]);
			else
				full++;
	} while (full < CALLSITES);
	for (unsigned i = 0; i < CALLSITES; i++) {
		books[i].callsite = callsites[i].name;
		tell(&books[i]);
	}
}

NOINLINE static void flood_blocks(unsigned long blocks)
{
	struct books books = { .callsite = "flood_blocks" };

	for (unsigned long i = 0; i < blocks; i++) {
		/* Some for the shadow, some for the table of larger ones. */
		size_t size = i % 4 < 2 ? 48 : 400;
		void *block = checked(malloc(size));

		books.objects++;
		books.bytes += size;
		if (i % 2) {
			free(block);
			continue;
		}
		books.live_objects++;
		books.live_bytes += size;
	}
	tell(&books);
}

/* Each path of so many steps is a stack. */
enum { STEPS = 20 };

static void go_left(unsigned path, int steps);
static void go_right(unsigned path, int steps);

__attribute__((always_inline)) static inline void go(unsigned path, int steps)
{
	if (!steps) {
		checked(malloc(64));
		return;
	}
	if (path & 1)
		go_left(path >> 1, steps - 1);
	else
		go_right(path >> 1, steps - 1);
	__asm__ volatile("");
}

NOINLINE static void go_left(unsigned path, int steps)
{
	go(path, steps);
	__asm__ volatile("");
}

NOINLINE static void go_right(unsigned path, int steps)
{
	go(path, steps);
	__asm__ volatile("" : : "r"(path));
}

NOINLINE static void flood_stacks(unsigned long stacks)
{
	struct books books = { "flood_stacks", stacks, 64 * stacks, stacks,
			       64 * stacks };

	for (unsigned path = 0; path < stacks; path++)
		go(path, STEPS);
	tell(&books);
}

static pthread_barrier_t all_have_theirs;

NOINLINE static void *hold_ten(void *unused)
{
	for (int i = 0; i < 10; i++)
		*(void *volatile *)&unused = checked(malloc(100));
	pthread_barrier_wait(&all_have_theirs);
	return NULL;
}

static void start_threads(unsigned count)
{
	struct books books = { "hold_ten", 10UL * count, 1000UL * count,
			       10UL * count, 1000UL * count };
	pthread_t *threads = checked(calloc(count, sizeof(*threads)));
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 256 * 1024);
	pthread_barrier_init(&all_have_theirs, NULL, count);
	for (unsigned i = 0; i < count; i++)
		if (pthread_create(&threads[i], &attributes, hold_ten, NULL))
			abort();
	for (unsigned i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	free(threads);
	tell(&books);
}

int main(int argc, char **argv)
{
	static char output[BUFSIZ];

	/* Or else it were a block of whoever tells first. */
	setvbuf(stdout, output, _IOFBF, sizeof(output));
	if (argc == 3 && !strcmp(argv[1], "hold")) {
		hold(strtoul(argv[2], NULL, 10));
		return 0;
	}
	if (argc == 3 && !strcmp(argv[1], "threads")) {
		start_threads((unsigned)strtoul(argv[2], NULL, 10));
		return 0;
	}
	if (argc == 4 && !strcmp(argv[1], "flood")) {
		flood_blocks(strtoul(argv[2], NULL, 10));
		flood_stacks(strtoul(argv[3], NULL, 10));
		return 0;
	}
	fputs("usage: sampled hold BYTES | flood BLOCKS STACKS | "
	      "threads THREADS\n",
	      stderr);
	return 2;
}
