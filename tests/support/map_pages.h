/*
 * Mappings by the numbers of their pages, and what the table of live mappings
 * (maps.h) has of them.
 */
#ifndef TESTS_MAP_PAGES_H
#define TESTS_MAP_PAGES_H

#include "agent/maps.h"

#include "tests/support/agent_check.h"

#include <string.h>

enum { PAGE = 4096, PAGES = 96, MOST_OBJECTS = 4096 };

static const uintptr_t base = 0x7f0000000000;

static inline uintptr_t page_at(uint32_t page)
{
	return base + (uintptr_t)page * PAGE;
}

/* What a walk says: consecutive pages of one object are a run. */
struct run {
	uint32_t site;
	uint64_t bytes;
};

struct picture {
	struct run runs[PAGES + 1];
	uint32_t count;
	uint32_t firsts[MOST_OBJECTS];
};

static inline void add_run(struct picture *picture, uint32_t site,
			   uint64_t bytes)
{
	uint32_t last = picture->count - 1;

	if (picture->count && picture->runs[last].site == site) {
		picture->runs[last].bytes += bytes;
		return;
	}
	assert_true(picture->count < PAGES);
	picture->runs[picture->count++] = (struct run){ site, bytes };
}

static inline void see(void *argument, uint32_t site, uint64_t bytes,
		       bool first)
{
	struct picture *picture = argument;

	assert_true(bytes > 0);
	assert_true(site < MOST_OBJECTS);
	picture->firsts[site] += first;
	add_run(picture, site, bytes);
}

static inline void look(struct picture *picture)
{
	memset(picture, 0, sizeof(*picture));
	la_maps_walk(see, picture);
}

static inline void assert_nothing(void)
{
	static struct picture seen;

	look(&seen);
	assert_int_equal(seen.count, 0);
}

static inline void discard(uint32_t from, uint32_t to)
{
	la_maps_discard(la_maps_take(page_at(from), page_at(to)));
}

/* What the last move or copy of the thread grew, and whose that is. */
static __thread uint64_t grown;
static __thread uint32_t grown_site;

static void note_growth(uint32_t site, uint64_t bytes)
{
	grown_site = site;
	grown = bytes;
}

static inline void move(uint32_t from, uint32_t pages, uint32_t to,
			uint32_t new_pages)
{
	note_growth(0, 0);
	la_maps_move(la_maps_take(page_at(from), page_at(from + pages)),
		     page_at(from), page_at(to), (uintptr_t)new_pages * PAGE,
		     note_growth);
}

#endif
