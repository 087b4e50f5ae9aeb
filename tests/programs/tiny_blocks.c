/* build: -O2 */
/*
 * Four threads allocate blocks of 0 to 40 bytes, most of them tiny, so that some
 * allocators put several into 32 bytes, and free each other's. At the end it
 * asks for a snapshot and prints, for each function that allocates: its name,
 * what it ever allocated, blocks and bytes, and what of that is live.
 *
 * usage: tiny_blocks SEED OPERATIONS   (of each thread)
 */
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))
#define NO_TAIL_CALL __asm__ volatile("" : : : "memory")

enum { THREADS = 4, SLOTS = 4096 };

int leakagent_snapshot(const char *reason) __attribute__((weak));

enum maker { MALLOC, CALLOC, REALLOC, MEMALIGN, MAKERS };

static const char *const names[] = { "tiny_malloc", "tiny_calloc",
				     "tiny_realloc", "tiny_memalign" };

struct slot {
	unsigned char taken;
	enum maker maker;
	size_t size;
	void *block;
};

static struct slot slots[SLOTS];
static uint64_t seed, operations;
static uint64_t allocated[MAKERS], allocated_bytes[MAKERS];

static uint64_t draw(uint64_t *random, uint64_t below)
{
	*random = *random * UINT64_C(6364136223846793005) +
		  UINT64_C(1442695040888963407);
	return (*random >> 33) % below;
}

NOINLINE static void *tiny_malloc(size_t size)
{
	void *block = malloc(size);

	NO_TAIL_CALL;
	return block;
}

NOINLINE static void *tiny_calloc(size_t size)
{
	void *block = calloc(1, size);

	NO_TAIL_CALL;
	return block;
}

NOINLINE static void *tiny_realloc(void *old, size_t size)
{
	void *block = realloc(old, size);

	NO_TAIL_CALL;
	return block;
}

NOINLINE static void *tiny_memalign(size_t size)
{
	void *block = memalign(8, size);

	NO_TAIL_CALL;
	return block;
}

static void replace(struct slot *slot, uint64_t *random)
{
	size_t size = draw(random, 4) ? 1 + draw(random, 16) : draw(random, 41);
	enum maker maker = (enum maker)draw(random, MAKERS);

	/* A realloc to nothing is a free or is not: not here. */
	size += maker == REALLOC && !size;
	if (maker != REALLOC)
		free(slot->block);
	slot->block = maker == MALLOC	? tiny_malloc(size) :
		      maker == CALLOC	? tiny_calloc(size) :
		      maker == MEMALIGN ? tiny_memalign(size) :
					  tiny_realloc(slot->block, size);
	if (!slot->block)
		abort();
	memset(slot->block, 0x5a, size);
	slot->maker = maker;
	slot->size = size;
	__atomic_add_fetch(&allocated[maker], 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&allocated_bytes[maker], size, __ATOMIC_RELAXED);
}

static void *work(void *argument)
{
	uint64_t random = seed * THREADS + (uintptr_t)argument;

	for (uint64_t i = 0; i < operations; i++) {
		struct slot *slot = &slots[draw(&random, SLOTS)];

		if (__atomic_exchange_n(&slot->taken, 1, __ATOMIC_ACQUIRE)) {
			sched_yield();
			continue;
		}
		if (slot->block && draw(&random, 4) == 0) {
			free(slot->block);
			slot->block = NULL;
		} else {
			replace(slot, &random);
		}
		__atomic_store_n(&slot->taken, 0, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void print_books(void)
{
	for (enum maker maker = MALLOC; maker < MAKERS; maker++) {
		uint64_t live = 0, bytes = 0;

		for (int i = 0; i < SLOTS; i++)
			if (slots[i].block && slots[i].maker == maker) {
				live++;
				bytes += slots[i].size;
			}
		printf("%s %lu %lu %lu %lu\n", names[maker], allocated[maker],
		       allocated_bytes[maker], live, bytes);
	}
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];

	if (argc != 3)
		return 2;
	seed = strtoull(argv[1], NULL, 10);
	operations = strtoull(argv[2], NULL, 10);
	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)i))
			return 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	if (leakagent_snapshot)
		leakagent_snapshot("books");
	print_books();
	return 0;
}
