/*
 * The ledger's heap: blocks in slots that all threads share, so that a block
 * is often freed by another thread than the one that allocated it. Each holds
 * a pattern that is checked before it goes.
 */
#ifndef LEDGER_HEAP_H
#define LEDGER_HEAP_H

#include "ledger_counts.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <string.h>

#define HEAP_SLOTS 2000
#define TOO_MUCH (SIZE_MAX / 2 - 4096)

struct heap_slot {
	pthread_mutex_t lock;
	unsigned char *block;
	size_t size;
	size_t alignment; /* 0: as malloc gives it */
	struct count *owner;
};

static struct heap_slot heap_slots[HEAP_SLOTS];
/* Another allocator than libc's is at work: jemalloc has no pvalloc, and
 * mimalloc 2.0 aligns less than it should. */
static bool heap_foreign;
/* C23's, which Debian's libc lacks and the agent has. */
static void (*heap_free_sized)(void *, size_t);
static void (*heap_free_aligned_sized)(void *, size_t, size_t);

NOINLINE static void heap_malloc(struct job *job)
{
	job->result = malloc(job->size);
}

NOINLINE static void heap_calloc(struct job *job)
{
	job->result = calloc(1, job->size);
}

NOINLINE static void heap_calloc_many(struct job *job)
{
	job->size -= job->size % 8;
	job->result = calloc(job->size / 8, 8);
}

NOINLINE static void heap_realloc_null(struct job *job)
{
	job->result = realloc(NULL, job->size);
}

NOINLINE static void heap_reallocarray_null(struct job *job)
{
	job->size -= job->size % 16;
	job->result = reallocarray(NULL, job->size / 16, 16);
}

NOINLINE static void heap_posix_memalign(struct job *job)
{
	MUST(!posix_memalign(&job->result, job->alignment, job->size));
}

NOINLINE static void heap_aligned_alloc(struct job *job)
{
	job->size -= job->size % job->alignment;
	job->result = aligned_alloc(job->alignment, job->size);
}

NOINLINE static void heap_memalign(struct job *job)
{
	job->result = memalign(job->alignment, job->size);
}

NOINLINE static void heap_valloc(struct job *job)
{
	job->alignment = 4096;
	job->result = valloc(job->size);
}

NOINLINE static void heap_pvalloc(struct job *job)
{
	job->alignment = 4096;
	job->result = pvalloc(job->size);
}

/* A block that libc itself asks for. */
NOINLINE static void heap_strdup(struct job *job)
{
	static const char text[] = "a string of thirty-six characters...";

	job->size = sizeof(text);
	job->result = strdup(text);
}

NOINLINE static void heap_realloc(struct job *job)
{
	job->result = realloc(job->old, job->size);
}

NOINLINE static void heap_reallocarray(struct job *job)
{
	job->size -= job->size % 4;
	job->result = reallocarray(job->old, job->size / 4, 4);
}

static struct site heap_sites[] = {
	SITE(heap_malloc),	 SITE(heap_calloc),
	SITE(heap_calloc_many),	 SITE(heap_realloc_null),
	SITE(heap_strdup),	 SITE(heap_reallocarray_null),
	SITE(heap_valloc),	 SITE(heap_memalign),
	SITE(heap_aligned_alloc), SITE(heap_posix_memalign),
	SITE(heap_pvalloc),
};

static struct site heap_resize_sites[] = { SITE(heap_realloc),
					   SITE(heap_reallocarray) };

/* From here on heap_sites wants an alignment. */
#define FIRST_ALIGNED 7

static inline void heap_init(void)
{
	for (size_t i = 0; i < HEAP_SLOTS; i++)
		pthread_mutex_init(&heap_slots[i].lock, NULL);
	*(void **)&heap_free_sized = dlsym(RTLD_DEFAULT, "free_sized");
	*(void **)&heap_free_aligned_sized =
		dlsym(RTLD_DEFAULT, "free_aligned_sized");
}

static inline size_t heap_random_size(struct random *random)
{
	switch (random_below(random, 40)) {
	case 0:
		return 0;
	case 1: /* beyond glibc's mmap threshold */
		return 130000 + random_below(random, 200000);
	case 2:
	case 3:
		return random_below(random, 20000);
	default:
		return 1 + random_below(random, 500);
	}
}

static inline unsigned char heap_pattern(const struct heap_slot *slot)
{
	return (unsigned char)((slot - heap_slots) * 7 + 1);
}

static inline void heap_mark(struct heap_slot *slot)
{
	MUST(malloc_usable_size(slot->block) >= slot->size);
	if (slot->size) {
		slot->block[0] = heap_pattern(slot);
		slot->block[slot->size - 1] = heap_pattern(slot);
	}
}

static inline void heap_check(const struct heap_slot *slot)
{
	if (slot->size) {
		MUST(slot->block[0] == heap_pattern(slot));
		MUST(slot->block[slot->size - 1] == heap_pattern(slot));
	}
}

static inline void heap_fill(struct heap_slot *slot, struct random *random)
{
	struct job job = { .size = heap_random_size(random) };
	unsigned which = random_below(random, COUNT_OF(heap_sites) -
						      (heap_foreign ? 1 : 0));
	struct count *count;

	if (which >= FIRST_ALIGNED)
		job.alignment = (size_t)16 << random_below(random, 9);
	count = call_site(&heap_sites[which], random, &job);
	MUST(job.result);
	if (job.alignment && !heap_foreign)
		MUST((uintptr_t)job.result % job.alignment == 0);
	count_alloc(count, job.size);
	slot->block = job.result;
	slot->size = job.size;
	slot->alignment = job.alignment;
	slot->owner = count;
	heap_mark(slot);
}

static inline void heap_release(struct heap_slot *slot, struct random *random)
{
	heap_check(slot);
	count_free(slot->owner, slot->size);
	if (random_below(random, 2) && heap_free_sized) {
		if (slot->alignment)
			heap_free_aligned_sized(slot->block, slot->alignment,
						slot->size);
		else
			heap_free_sized(slot->block, slot->size);
	} else {
		free(slot->block);
	}
	slot->block = NULL;
}

/* A realloc to nothing frees under some allocators, and gives an empty block
 * under others; both are a free of the old one. */
static inline void heap_resize(struct heap_slot *slot, struct random *random)
{
	struct site *site = &heap_resize_sites[random_below(random, 2)];
	struct job job = { .old = slot->block,
			   .size = heap_random_size(random) };
	struct count *count;

	heap_check(slot);
	count = call_site(site, random, &job);
	MUST(job.result || !job.size);
	count_free(slot->owner, slot->size);
	slot->block = job.result;
	slot->size = job.size;
	slot->alignment = 0;
	slot->owner = count;
	if (!job.result)
		return;
	count_alloc(count, job.size);
	heap_mark(slot);
}

/* Keeps the compiler from leaving out a call whose result goes nowhere. */
static inline void *kept(void *block)
{
	__asm__ volatile("" : "+r"(block));
	return block;
}

NOINLINE static void heap_fail(struct heap_slot *slot)
{
	/* Volatile, lest the compiler sees through it and warns. */
	volatile size_t too_much = TOO_MUCH;
	void *block = NULL;

	MUST(!kept(malloc(too_much)));
	MUST(!kept(calloc(too_much, 16)));
	MUST(!realloc(slot->block, too_much));
	MUST(!reallocarray(slot->block, too_much, 16));
	MUST(!kept(memalign(64, too_much)));
	MUST(posix_memalign(&block, 24, 100) == EINVAL && !block);
	MUST(posix_memalign(&block, 64, too_much) == ENOMEM && !block);
	heap_check(slot);
}

static inline void heap_operate(struct random *random)
{
	struct heap_slot *slot = &heap_slots[random_below(random, HEAP_SLOTS)];
	unsigned choice = random_below(random, 100);

	pthread_mutex_lock(&slot->lock);
	if (!slot->block)
		heap_fill(slot, random);
	else if (choice < 1)
		heap_fail(slot);
	else if (choice < 40)
		heap_resize(slot, random);
	else
		heap_release(slot, random);
	free(NULL);
	pthread_mutex_unlock(&slot->lock);
}

static inline void heap_print(const char **separator)
{
	print_sites("heap", heap_sites, COUNT_OF(heap_sites), separator);
	print_sites("heap", heap_resize_sites, COUNT_OF(heap_resize_sites),
		    separator);
}

#endif
