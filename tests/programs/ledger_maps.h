/*
 * The ledger's mappings, in slots that all threads share: a slot is a range of
 * pages of which some may be gone. Sites whose mappings the agent must not
 * count (reservations, files) have no books.
 */
#ifndef LEDGER_MAPS_H
#define LEDGER_MAPS_H

#include "ledger_counts.h"

#include <stdbool.h>
#include <sys/mman.h>

#define MAP_SLOTS 200
#define MAP_PAGES 24u
#define PAGE 4096u

struct map_slot {
	pthread_mutex_t lock;
	char *base;
	unsigned pages;      /* 0: empty slot */
	uint32_t mapped;     /* one bit for each page that is still there */
	struct count *owner; /* NULL: not to be counted */
};

static struct map_slot map_slots[MAP_SLOTS];
static int map_file;

#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
#define FIXED(job) ((job)->old ? MAP_FIXED : 0)

NOINLINE static void map_private(struct job *job)
{
	job->result = mmap(job->old, job->size, PROT_READ | PROT_WRITE,
			   ANONYMOUS | FIXED(job), -1, 0);
}

NOINLINE static void map_private64(struct job *job)
{
	job->result = mmap64(job->old, job->size, PROT_WRITE,
			     ANONYMOUS | FIXED(job), -1, 0);
}

NOINLINE static void map_shared(struct job *job)
{
	job->result = mmap(job->old, job->size, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS | FIXED(job), -1, 0);
}

NOINLINE static void map_readable(struct job *job)
{
	job->result = mmap(job->old, job->size, PROT_READ,
			   ANONYMOUS | FIXED(job), -1, 0);
}

NOINLINE static void map_nothing(struct job *job)
{
	job->result = mmap(job->old, job->size, PROT_NONE,
			   ANONYMOUS | FIXED(job), -1, 0);
}

NOINLINE static void map_reserved(struct job *job)
{
	job->result = mmap(job->old, job->size, PROT_READ | PROT_WRITE,
			   ANONYMOUS | MAP_NORESERVE | FIXED(job), -1, 0);
}

NOINLINE static void map_of_file(struct job *job)
{
	job->result = mmap(job->old, job->size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | FIXED(job), map_file, 0);
}

NOINLINE static void map_of_file64(struct job *job)
{
	job->result = mmap64(job->old, job->size, PROT_READ | PROT_WRITE,
			     MAP_SHARED | FIXED(job), map_file, 0);
}

static struct site map_sites[] = {
	SITE(map_private),
	SITE(map_private64),
	SITE(map_shared),
	SITE(map_readable),
	/* From here on: not to be counted. */
	SITE(map_nothing),
	SITE(map_reserved),
	SITE(map_of_file),
	SITE(map_of_file64),
};

#define FIRST_UNCOUNTED 4

static inline void map_init(void)
{
	for (size_t i = 0; i < MAP_SLOTS; i++)
		pthread_mutex_init(&map_slots[i].lock, NULL);
	map_file = memfd_create("ledger", MFD_CLOEXEC);
	MUST(map_file >= 0 && !ftruncate(map_file, MAP_PAGES * PAGE));
}

static inline uint32_t map_bits(unsigned first, unsigned pages)
{
	return ((UINT32_C(1) << pages) - 1) << first;
}

/* A new mapping at `at` (NULL: anywhere) into the empty slot. */
static inline void map_fill(struct map_slot *slot, char *at, unsigned pages,
			    struct random *random)
{
	unsigned which = random_below(random, COUNT_OF(map_sites));
	struct job job = { .old = at, .size = pages * PAGE };
	struct count *count = call_site(&map_sites[which], random, &job);

	MUST(job.result != MAP_FAILED && (!at || job.result == at));
	slot->base = job.result;
	slot->pages = pages;
	slot->mapped = map_bits(0, pages);
	slot->owner = which < FIRST_UNCOUNTED ? count : NULL;
	if (slot->owner)
		count_alloc(slot->owner, job.size);
}

/* Some pages have left the slot: one object until the last of them goes. */
static inline void map_drop(struct map_slot *slot, unsigned first,
			    unsigned pages)
{
	slot->mapped &= ~map_bits(first, pages);
	if (slot->owner) {
		slot->owner->live_bytes -= (long)pages * PAGE;
		slot->owner->live_objects -= !slot->mapped;
	}
	if (!slot->mapped)
		slot->pages = 0;
}

/* A run of mapped pages that starts at a random one, of random length. */
static inline unsigned map_choose_run(const struct map_slot *slot,
				      struct random *random, unsigned *pages)
{
	unsigned first = random_below(random, slot->pages);
	unsigned longest = 1 + random_below(random, slot->pages);

	while (!(slot->mapped & map_bits(first, 1)))
		first = (first + 1) % slot->pages;
	*pages = 0;
	while (*pages < longest && first + *pages < slot->pages &&
	       slot->mapped & map_bits(first + *pages, 1))
		++*pages;
	return first;
}

static inline void map_unmap_run(struct map_slot *slot, struct random *random)
{
	unsigned pages;
	unsigned first = map_choose_run(slot, random, &pages);
	char *at = slot->base + first * PAGE;

	/* Our books first: the address may be another thread's at once. */
	map_drop(slot, first, pages);
	MUST(!munmap(at, pages * PAGE));
}

static inline void map_unmap_all(struct map_slot *slot, struct random *random)
{
	while (slot->pages)
		map_unmap_run(slot, random);
}

/* Maps over some of the slot's pages; the new mapping gets another slot. */
static inline void map_replace(struct map_slot *slot, struct random *random)
{
	struct map_slot *other = &map_slots[random_below(random, MAP_SLOTS)];
	unsigned pages;
	unsigned first = map_choose_run(slot, random, &pages);
	char *at = slot->base + first * PAGE;

	if (other == slot || pthread_mutex_trylock(&other->lock))
		return;
	if (!other->pages) {
		map_drop(slot, first, pages);
		map_fill(other, at, pages, random);
	}
	pthread_mutex_unlock(&other->lock);
}

static inline void *map_move(char *base, size_t size, size_t new_size)
{
	void *target = mmap(NULL, new_size, PROT_NONE, ANONYMOUS, -1, 0);

	MUST(target != MAP_FAILED);
	return mremap(base, size, new_size, MREMAP_MAYMOVE | MREMAP_FIXED,
		      target);
}

/* Grows, shrinks or moves a slot that is still whole. */
static inline void map_resize(struct map_slot *slot, struct random *random)
{
	unsigned pages = 1 + random_below(random, MAP_PAGES);
	size_t size = slot->pages * PAGE;
	size_t new_size = pages * PAGE;
	bool move = random_below(random, 2);
	void *base;

	if (slot->mapped != map_bits(0, slot->pages))
		return;
	if (move)
		base = map_move(slot->base, size, new_size);
	else
		base = mremap(slot->base, size, new_size, MREMAP_MAYMOVE);
	MUST(base != MAP_FAILED);
	if (slot->owner) {
		slot->owner->live_bytes += (long)new_size - (long)size;
		if (new_size > size)
			slot->owner->alloc_bytes += (long)(new_size - size);
	}
	slot->base = base;
	slot->pages = pages;
	slot->mapped = map_bits(0, pages);
}

static inline void map_fail(struct map_slot *slot)
{
	char *unaligned = slot->base + 1;

	MUST(mmap(unaligned, PAGE, PROT_READ, ANONYMOUS | MAP_FIXED, -1, 0) ==
	     MAP_FAILED);
	MUST(mmap(slot->base, 0, PROT_READ, ANONYMOUS | MAP_FIXED, -1, 0) ==
	     MAP_FAILED);
	MUST(munmap(unaligned, PAGE) == -1);
	MUST(mremap(unaligned, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED);
	MUST(mremap(slot->base, PAGE, 0, MREMAP_MAYMOVE) == MAP_FAILED);
}

static inline void map_operate(struct random *random)
{
	struct map_slot *slot = &map_slots[random_below(random, MAP_SLOTS)];
	unsigned choice = random_below(random, 100);

	pthread_mutex_lock(&slot->lock);
	if (!slot->pages)
		map_fill(slot, NULL, 1 + random_below(random, MAP_PAGES),
			 random);
	else if (choice < 5)
		map_fail(slot);
	else if (choice < 30)
		map_resize(slot, random);
	else if (choice < 50)
		map_replace(slot, random);
	else if (choice < 75)
		map_unmap_run(slot, random);
	else
		map_unmap_all(slot, random);
	pthread_mutex_unlock(&slot->lock);
}

static inline void map_print(const char **separator)
{
	print_sites("mmap", map_sites, FIRST_UNCOUNTED, separator);
}

#endif
