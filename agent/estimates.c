/* See estimates.h. */

#include "agent/estimates.h"

#include "agent/arch.h"
#include "agent/array.h"
#include "agent/lock.h"
#include "agent/sampler.h"

enum { COPIED_AT_ONCE = 512 };

/* By site, from 1 on. Appended to and changed under LA_LOCK_ESTIMATES. */
static struct la_array estimates =
	LA_ARRAY_OF(struct la_estimate, LA_MEMORY_STACKS);

void la_estimate_add(struct la_estimate *estimate, uint64_t bytes,
		     uint64_t interval)
{
	double chance = la_sampler_chance(bytes, interval);
	double size = (double)bytes;
	double variance = (1 - chance) / (chance * chance);

	estimate->objects += 1 / chance;
	estimate->bytes += size / chance;
	estimate->objects_variance += variance;
	estimate->bytes_variance += variance * size * size;
}

bool la_estimates_reserve(uint32_t site)
{
	bool room = true;

	la_lock(LA_LOCK_ESTIMATES);
	while (room && estimates.count < site) {
		room = la_array_reserve(&estimates) != NULL;
		if (room)
			la_array_publish(&estimates);
	}
	la_unlock(LA_LOCK_ESTIMATES);
	return room;
}

struct addition {
	uint32_t site;
	uint64_t bytes, interval;
};

static void add(void *argument)
{
	const struct addition *addition = argument;

	la_estimate_add(la_array_at(&estimates, addition->site),
			addition->bytes, addition->interval);
}

void la_estimates_add(uint32_t site, uint64_t bytes, uint64_t interval)
{
	struct addition addition = { site, bytes, interval };

	la_lock(LA_LOCK_ESTIMATES);
	la_arch_calculate(add, &addition);
	la_unlock(LA_LOCK_ESTIMATES);
}

void la_estimates_copy(struct la_estimate *to, uint32_t most)
{
	uint32_t count = la_array_count(&estimates);

	if (count > most)
		count = most;
	for (uint32_t site = 1; site <= count;) {
		/* Host threads wait for this lock. */
		la_lock(LA_LOCK_ESTIMATES);
		for (int i = 0; i < COPIED_AT_ONCE && site <= count;
		     i++, site++)
			to[site] = *(const struct la_estimate *)la_array_at(
				&estimates, site);
		la_unlock(LA_LOCK_ESTIMATES);
	}
}
