/*
 * Books of what threads and the handlers that interrupt them make and give
 * back, each what the others made, too: by maker, how much there ever was, and
 * what of it is live.
 */
#ifndef BOOKS_H
#define BOOKS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { MOST_MAKERS = 4 };

int leakagent_snapshot(const char *reason) __attribute__((weak));

/* What everything that is made begins with. */
struct thing {
	uint32_t size, maker;
};

static struct {
	uint64_t made, bytes, live, live_bytes;
} books[MOST_MAKERS];

static __thread uint64_t random_state;

/* A handler that interrupts it does no harm: it is only random. */
static uint64_t draw(uint64_t below)
{
	random_state = random_state * UINT64_C(6364136223846793005) +
		       UINT64_C(1442695040888963407);
	return (random_state >> 33) % below;
}

static struct thing *enter(struct thing *thing, uint32_t size, uint32_t maker)
{
	if (!thing || thing == MAP_FAILED)
		abort();
	*thing = (struct thing){ size, maker };
	__atomic_add_fetch(&books[maker].made, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&books[maker].bytes, size, __ATOMIC_RELAXED);
	__atomic_add_fetch(&books[maker].live, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&books[maker].live_bytes, size, __ATOMIC_RELAXED);
	return thing;
}

static uint32_t strike_out(const struct thing *thing)
{
	__atomic_sub_fetch(&books[thing->maker].live, 1, __ATOMIC_RELAXED);
	__atomic_sub_fetch(&books[thing->maker].live_bytes, thing->size,
			   __ATOMIC_RELAXED);
	return thing->size;
}

/* Whoever has taken it out of its place has it alone. */
static struct thing *swap(struct thing **place, struct thing *thing)
{
	return __atomic_exchange_n(place, thing, __ATOMIC_ACQ_REL);
}

/* A block, or NULL. */
static void discard(struct thing *block)
{
	if (block)
		strike_out(block);
	free(block);
}

/* At the end: a snapshot that must say the same as the books. */
static void close_books(const char *const *makers, int count)
{
	if (leakagent_snapshot)
		leakagent_snapshot("books");
	for (int i = 0; i < count; i++)
		printf("%s %lu %lu %lu %lu\n", makers[i], books[i].made,
		       books[i].bytes, books[i].live, books[i].live_bytes);
}

#endif
