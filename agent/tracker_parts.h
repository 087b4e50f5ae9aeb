/*
 * What the tracker's files share: how it is left, how blocks are put on record,
 * and what is done for a handler that has interrupted it.
 */
#ifndef LA_TRACKER_PARTS_H
#define LA_TRACKER_PARTS_H

#include "agent/estimates.h"
#include "agent/events.h"
#include "agent/growth.h"
#include "agent/live.h"
#include "agent/sampler.h"
#include "agent/sites.h"
#include "agent/state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool la_tracker_recording(void)
{
	return la_mode_now() == LA_MODE_ON;
}

/* ---- handlers that have interrupted the tracker (tracker_nested.c) ---- */

/*
 * Whether a handler may touch the records: not while its thread holds a lock, a
 * part of the table's or all of them in fork; and not before what still waits.
 */
bool la_tracker_may_record(struct la_state *state);

/* Records what a handler made, or keeps it for later. `frame` is its hook's. */
void la_tracker_note(struct la_state *state, enum la_event_kind kind,
		     uintptr_t address, uint64_t bytes, const void *frame);

/* Keeps for later that something is gone. */
void la_tracker_note_end(struct la_state *state, enum la_event_kind kind,
			 uintptr_t address, uint64_t bytes);

/* Records what waits. */
void la_tracker_apply(struct la_state *state);

/* ---- leaving ---- */

void la_tracker_terminate(const struct la_state *state);

/*
 * What waits is recorded before the thread leaves: a handler that comes then
 * finds everything in order, and leaves nothing behind that waits.
 */
static inline void la_tracker_leave(struct la_state *state)
{
	if (la_unlikely(state->pending))
		la_tracker_apply(state);
	la_state_leave_tracker(state);
	if (la_unlikely(state->terminate))
		la_tracker_terminate(state);
}

/* ---- records ---- */

/* How many bytes are recorded of a block. */
static inline uint64_t la_record_bytes(uint64_t bytes)
{
	return bytes <= LA_HEAP_MOST_BYTES ? bytes : LA_HEAP_MOST_BYTES;
}

/* Counts what was allocated. */
static inline void la_record_count(struct la_state *state, uint32_t site,
				   uint64_t bytes)
{
	if (la_unlikely(la_sampler_interval))
		la_estimates_add(site, bytes, la_sampler_interval);
	else
		la_state_count(state, site, bytes);
}

/* What a recorded block of so many bytes stands for. */
static inline int64_t la_record_scaled(uint64_t bytes)
{
	return (int64_t)(la_unlikely(la_sampler_interval) ?
				 la_sampler_scale(bytes, la_sampler_interval) :
				 bytes);
}

/*
 * The block becomes live, which was counted before: a thread may lose its core
 * at any point, and a snapshot that is taken meanwhile must not find more live
 * than was ever allocated.
 */
static inline void la_record_live(struct la_state *state, uintptr_t address,
				  uint64_t bytes, uint32_t site)
{
	struct la_block block = { bytes, site };

	if (la_unlikely(!la_live_insert(address, block)))
		la_drop();
	else
		la_growth_note(state, la_record_scaled(bytes));
}

static inline void la_record_block(struct la_state *state, uintptr_t address,
				   uint64_t bytes, uint32_t site)
{
	if (la_unlikely(!site)) {
		la_drop();
		return;
	}
	la_record_count(state, site, la_record_bytes(bytes));
	la_record_live(state, address, la_record_bytes(bytes), site);
}

/* A mapping of the stack `node`; 0 when that is not known. */
void la_record_map(struct la_state *state, uintptr_t start, uint64_t bytes,
		   uint32_t node);

#endif
