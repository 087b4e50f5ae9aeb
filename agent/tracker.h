/*
 * What the hooks tell: a block or a mapping came or went. Joins stack capture,
 * the tables and the counts; keeps itself consistent when a signal handler
 * comes in between; never changes errno.
 *
 * `frame` is the hook's own frame address: the stack is captured from its
 * caller outwards. All of these run on the thread that `state` belongs to.
 */
#ifndef LA_TRACKER_H
#define LA_TRACKER_H

#include "agent/filter.h"
#include "agent/live.h"
#include "agent/maps.h"
#include "agent/state.h"
#include "agent/threads.h"
#include "agent/visibility.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Around uses of the tables by others on a host thread: what a signal handler
 * does meanwhile is postponed to the end.
 */
void la_tracker_begin(struct la_state *state);
void la_tracker_end(struct la_state *state);

/* What has to be thought of for each block. */
enum la_care {
	LA_CARE_FULL,    /* anything */
	LA_CARE_SAMPLED, /* that most blocks are not recorded */
	LA_CARE_NONE     /* every block is recorded, and that is all */
};

extern LA_HIDDEN uint32_t la_tracker_care;

/* Turns tracking on and off. Any thread. */
void la_tracker_set_mode(enum la_mode mode);

/* Until the mode is set again, every hook calls la_hook_enter_carefully. */
void la_tracker_be_careful(void);

/* The rest of the functions below that they are named after. */
void la_track_block_now(struct la_state *state, const void *block,
			size_t bytes, const void *frame);
bool la_untrack_block_carefully(struct la_state *state, const void *block,
				struct la_block *was);

static inline enum la_care la_tracker_care_of_all(void)
{
	return __atomic_load_n(&la_tracker_care, __ATOMIC_RELAXED);
}

/* The same for a thread that may be inside the agent. */
static inline enum la_care la_tracker_care_now(const struct la_state *state)
{
	enum la_care care = la_tracker_care_of_all();

	return la_likely(!state->aside) ? care : LA_CARE_FULL;
}

/* Whether tracking is on and blocks are sampled. */
static inline bool la_tracker_samples(void)
{
	return la_tracker_care_of_all() == LA_CARE_SAMPLED;
}

/*
 * Whether a block that ends needs nothing at all: it was not sampled. What a
 * handler has allocated may still wait to be recorded. `state` may be NULL.
 */
static inline bool la_tracker_passes(const struct la_state *state,
				     const void *block)
{
	return la_tracker_samples() &&
	       la_likely(!la_filter_may_hold((uintptr_t)block)) &&
	       la_likely(!state || !state->aside);
}

/* After the allocator has returned the block. */
static inline void la_track_block(struct la_state *state, const void *block,
				  size_t bytes, const void *frame)
{
	if (state->aside || !la_tracker_samples() ||
	    la_unlikely(la_sampler_takes(&state->sampler, bytes)))
		la_track_block_now(state, block, bytes, frame);
}

/* A block that came before tracking began, of which little is known. */
struct la_early_block;
void la_track_early(struct la_state *state, const struct la_early_block *early);

/*
 * The block was recorded by an inner call, which asked for more than the
 * program did: `bytes` is what the program asked for.
 */
void la_track_size(struct la_state *state, const void *block, size_t bytes);

/*
 * Before the allocator is given the block back. True if it was recorded: then
 * *was tells how, for la_retrack_block should the call fail.
 */
static inline bool la_untrack_block(struct la_state *state, const void *block,
				    struct la_block *was)
{
	enum la_care care = la_tracker_care_now(state);
	la_shadow_entry entry;

	if (la_tracker_passes(state, block))
		return false;
	if (care == LA_CARE_NONE) {
		/* A handler that comes in between has other blocks. */
		entry = la_shadow_remove((uintptr_t)block);
		if (la_likely(entry)) {
			*was = la_live_block_of(entry);
			return true;
		}
	}
	return la_untrack_block_carefully(state, block, was);
}
void la_retrack_block(struct la_state *state, const void *block,
		      const struct la_block *was);

/* Mappings: addresses and lengths are whole pages. */
void la_track_map(struct la_state *state, uintptr_t start, size_t length,
		  const void *frame);
/* Before the kernel unmaps or replaces a range; end it with one of the next. */
struct la_map *la_untrack_map(struct la_state *state, uintptr_t start,
			      size_t length);
void la_untrack_map_done(struct la_state *state, struct la_map *taken);
void la_untrack_map_failed(struct la_state *state, struct la_map *taken);
void la_remap(struct la_state *state, struct la_map *taken, uintptr_t from,
	      uintptr_t to, size_t length, bool keeps_old);

/*
 * Before a thread is created: its record, or NULL when it cannot be recorded.
 * What happens next goes to threads.h.
 */
struct la_host_thread *la_track_thread(struct la_state *state,
				       size_t stack_size, bool detached,
				       const void *frame);

#endif
