/*
 * See snapshot.h. Live counts are taken from the tables of what is live, first;
 * what was ever allocated is read afterwards, so that it is never less.
 */

#include "agent/snapshot.h"

#include "agent/live.h"
#include "agent/maps.h"
#include "agent/memory.h"
#include "agent/state.h"
#include "agent/threads.h"

#include <errno.h>
#include <stddef.h>

enum { TRIES = 4 };

static void add_live(struct la_snapshot *snapshot, uint32_t site,
		     uint64_t objects, uint64_t bytes)
{
	/* A site that is newer than this snapshot waits for the next. */
	if (site > snapshot->sites)
		return;
	snapshot->rows[site].live.objects += objects;
	snapshot->rows[site].live.bytes += bytes;
}

static void add_block(void *argument, struct la_block block)
{
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

static void add_allocated(struct la_snapshot *snapshot,
			  const struct la_counts *held)
{
	for (uint32_t site = 1; site <= snapshot->sites; site++) {
		const struct la_counts *own = &la_site_at(site)->allocated;
		struct la_counts *sum = &snapshot->rows[site].allocated;

		sum->objects = held[site].objects +
			       __atomic_load_n(&own->objects, __ATOMIC_RELAXED);
		sum->bytes = held[site].bytes +
			     __atomic_load_n(&own->bytes, __ATOMIC_RELAXED);
	}
}

/*
 * Counts that threads hold back are read before those they move to: if they
 * move in between, they are counted twice rather than not at all, and the whole
 * is read again.
 */
static int sum_allocated(struct la_snapshot *snapshot)
{
	size_t bytes = ((size_t)snapshot->sites + 1) * sizeof(struct la_counts);
	bool steady = false;

	for (int attempt = 0; !steady && attempt < TRIES; attempt++) {
		struct la_counts *held = la_memory_map(bytes);
		uint64_t moves = la_state_moves();

		if (!held)
			return -ENOMEM;
		la_state_sum_held(held, snapshot->sites);
		add_allocated(snapshot, held);
		steady = la_state_moves() == moves;
		la_memory_unmap(held, bytes);
	}
	return 0;
}

static void sum_totals(struct la_snapshot *snapshot)
{
	for (uint32_t site = 1; site <= snapshot->sites; site++) {
		if (la_site_at(site)->kind == LA_KIND_ID_THREAD)
			continue;
		snapshot->live_bytes += snapshot->rows[site].live.bytes;
		snapshot->live_objects += snapshot->rows[site].live.objects;
	}
}

static size_t rows_bytes(const struct la_snapshot *snapshot)
{
	return ((size_t)snapshot->sites + 1) * sizeof(struct la_row);
}

int la_snapshot_take(struct la_snapshot *snapshot)
{
	int error;

	*snapshot = (struct la_snapshot){ .sites = la_sites_total() };
	snapshot->rows = la_memory_map(rows_bytes(snapshot));
	if (!snapshot->rows)
		return -ENOMEM;
	la_live_walk(add_block, snapshot);
	la_maps_walk(add_map, snapshot);
	la_threads_walk(add_thread, snapshot);
	error = sum_allocated(snapshot);
	if (error) {
		la_snapshot_free(snapshot);
		return error;
	}
	sum_totals(snapshot);
	return 0;
}

void la_snapshot_free(struct la_snapshot *snapshot)
{
	la_memory_unmap(snapshot->rows, rows_bytes(snapshot));
	snapshot->rows = NULL;
}
