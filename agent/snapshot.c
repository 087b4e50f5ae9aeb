/*
 * See snapshot.h. Live counts are taken from the tables of what is live, first;
 * what was ever allocated is read afterwards, so that it is never less.
 */

#include "agent/snapshot.h"

#include "agent/arch.h"
#include "agent/live.h"
#include "agent/maps.h"
#include "agent/memory.h"
#include "agent/sampler.h"
#include "agent/state.h"
#include "agent/system.h"
#include "agent/threads.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

enum { TRIES_OF_ONE = 1000 };

_Static_assert(2 * sizeof(struct la_counts) + 2 * sizeof(struct la_estimate) <=
		       LA_SITE_SNAPSHOT_BYTES,
	       "there is memory for snapshots");

static void *new_array(const struct la_snapshot *snapshot, size_t element)
{
	return la_memory_map_for(LA_MEMORY_SNAPSHOT,
				 ((size_t)snapshot->sites + 1) * element);
}

static void free_array(const struct la_snapshot *snapshot, void *array,
		       size_t element)
{
	la_memory_unmap_for(LA_MEMORY_SNAPSHOT, array,
			    ((size_t)snapshot->sites + 1) * element);
}

static void add_live(struct la_snapshot *snapshot, uint32_t site,
		     uint64_t objects, uint64_t bytes)
{
	/* A site that is newer than this snapshot waits for the next. */
	if (site > snapshot->sites)
		return;
	snapshot->live[site].objects += objects;
	snapshot->live[site].bytes += bytes;
}

static void add_sampled(struct la_snapshot *snapshot, struct la_block block,
			uint64_t interval)
{
	if (interval > snapshot->interval)
		snapshot->interval = interval;
	if (!snapshot->live_estimates)
		snapshot->live_estimates =
			new_array(snapshot, sizeof(struct la_estimate));
	/* A site that is newer than this snapshot waits for the next. */
	if (block.site > snapshot->sites)
		return;
	if (snapshot->live_estimates)
		la_estimate_add(&snapshot->live_estimates[block.site],
				block.bytes, interval);
}

static void add_block(void *argument, struct la_block block, uint64_t interval)
{
	if (interval)
		add_sampled(argument, block, interval);
	else
		add_live(argument, block.site, 1, block.bytes);
}

static void add_map(void *argument, uint32_t site, uint64_t bytes, bool first)
{
	add_live(argument, site, first, bytes);
}

static void add_thread(void *argument, uint32_t site)
{
	add_live(argument, site, 1, 0);
}

static void add_own(struct la_counts *sum, uint32_t site)
{
	const struct la_counts *own = &la_site_at(site)->allocated;

	sum->objects += __atomic_load_n(&own->objects, __ATOMIC_ACQUIRE);
	sum->bytes += __atomic_load_n(&own->bytes, __ATOMIC_ACQUIRE);
}

static void sum_held(struct la_snapshot *snapshot)
{
	memset(snapshot->allocated, 0,
	       ((size_t)snapshot->sites + 1) * sizeof(*snapshot->allocated));
	la_state_sum_held(snapshot->allocated, snapshot->sites);
}

/*
 * Counts that threads hold back are read before those they move to: if they
 * move in between, they are counted twice rather than not at all, and the whole
 * has to be read again. True when nothing moved.
 */
static bool sum_together(struct la_snapshot *snapshot)
{
	uint64_t before, after;
	bool settled = la_state_moves(&before);

	sum_held(snapshot);
	for (uint32_t site = 1; site <= snapshot->sites; site++)
		add_own(&snapshot->allocated[site], site);
	return settled && la_state_moves(&after) && before == after;
}

/* The same of one site: there is time for that between two moves. */
static void sum_one(struct la_counts *allocated, uint32_t site)
{
	uint64_t before, after;
	struct la_counts again = { 0 };
	bool settled = false;

	for (int attempt = 0; attempt < TRIES_OF_ONE && !settled; attempt++) {
		*allocated = (struct la_counts){ 0 };
		settled = la_state_held_of(site, allocated, &before);
		add_own(allocated, site);
		settled = la_state_held_of(site, &again, &after) && settled &&
			  before == after;
	}
}

/* Of threads that move counts all the time. What nobody holds stays put. */
static void sum_one_by_one(struct la_snapshot *snapshot)
{
	sum_held(snapshot);
	for (uint32_t site = 1; site <= snapshot->sites; site++) {
		if (snapshot->allocated[site].objects)
			sum_one(&snapshot->allocated[site], site);
		else
			add_own(&snapshot->allocated[site], site);
	}
}

static void sum_allocated(struct la_snapshot *snapshot)
{
	static const struct timespec moment = { .tv_nsec = 1000000 };

	if (sum_together(snapshot))
		return;
	/* The thread that moves some may have to wait for a core. */
	la_arch_syscall(SYS_nanosleep, (long)&moment, 0, 0, 0, 0, 0);
	if (!sum_together(snapshot))
		sum_one_by_one(snapshot);
}

static int estimate_allocated(struct la_snapshot *snapshot)
{
	if (!la_sampler_interval)
		return 0;
	snapshot->allocated_estimates =
		new_array(snapshot, sizeof(struct la_estimate));
	if (!snapshot->allocated_estimates)
		return -ENOMEM;
	la_estimates_copy(snapshot->allocated_estimates, snapshot->sites);
	return 0;
}

static void sum_totals(struct la_snapshot *snapshot)
{
	double objects = 0, bytes = 0;

	for (uint32_t site = 1; site <= snapshot->sites; site++) {
		if (la_site_at(site)->kind == LA_KIND_ID_THREAD)
			continue;
		snapshot->live_bytes += snapshot->live[site].bytes;
		snapshot->live_objects += snapshot->live[site].objects;
		if (snapshot->live_estimates) {
			objects += snapshot->live_estimates[site].objects;
			bytes += snapshot->live_estimates[site].bytes;
		}
	}
	snapshot->live_objects += (uint64_t)(objects + 0.5);
	snapshot->live_bytes += (uint64_t)(bytes + 0.5);
}

int la_snapshot_take(struct la_snapshot *snapshot)
{
	int error = -ENOMEM;

	*snapshot = (struct la_snapshot){ .sites = la_sites_total(),
					  .interval = la_sampler_interval };
	snapshot->allocated = new_array(snapshot, sizeof(struct la_counts));
	snapshot->live = new_array(snapshot, sizeof(struct la_counts));
	/* Even if there is nothing to estimate. */
	if (la_sampler_interval)
		snapshot->live_estimates =
			new_array(snapshot, sizeof(struct la_estimate));
	if (snapshot->allocated && snapshot->live) {
		la_live_walk(add_block, snapshot);
		la_maps_walk(add_map, snapshot);
		la_threads_walk(add_thread, snapshot);
		sum_allocated(snapshot);
		error = estimate_allocated(snapshot);
	}
	if (snapshot->interval && !snapshot->live_estimates)
		error = -ENOMEM;
	if (error)
		la_snapshot_free(snapshot);
	else
		sum_totals(snapshot);
	return error;
}

void la_snapshot_free(struct la_snapshot *snapshot)
{
	free_array(snapshot, snapshot->allocated, sizeof(struct la_counts));
	free_array(snapshot, snapshot->live, sizeof(struct la_counts));
	free_array(snapshot, snapshot->allocated_estimates,
		   sizeof(struct la_estimate));
	free_array(snapshot, snapshot->live_estimates,
		   sizeof(struct la_estimate));
	*snapshot = (struct la_snapshot){ 0 };
}

static void add_estimate(struct la_values *values, enum la_sample_type objects,
			 const struct la_estimate *estimate)
{
	const double each[] = { estimate->objects, estimate->bytes };
	const double variance[] = { estimate->objects_variance,
				    estimate->bytes_variance };

	/* The bytes' type follows that of the objects. */
	for (int i = 0; i < 2; i++) {
		double error = la_arch_square_root(variance[i]);

		values->value[(int)objects + i] += (int64_t)(each[i] + 0.5);
		/* What is no error is exact: an error is never less than 1. */
		values->error[(int)objects + i] =
			(int64_t)error + ((double)(int64_t)error < error);
	}
}

struct la_values la_snapshot_values(const struct la_snapshot *snapshot,
				    uint32_t site)
{
	struct la_values values = {
		.value = {
			[LA_ALLOC_OBJECTS] =
				(int64_t)snapshot->allocated[site].objects,
			[LA_ALLOC_SPACE] =
				(int64_t)snapshot->allocated[site].bytes,
			[LA_INUSE_OBJECTS] =
				(int64_t)snapshot->live[site].objects,
			[LA_INUSE_SPACE] = (int64_t)snapshot->live[site].bytes,
		},
	};

	if (snapshot->allocated_estimates)
		add_estimate(&values, LA_ALLOC_OBJECTS,
			     &snapshot->allocated_estimates[site]);
	if (snapshot->live_estimates)
		add_estimate(&values, LA_INUSE_OBJECTS,
			     &snapshot->live_estimates[site]);
	return values;
}
