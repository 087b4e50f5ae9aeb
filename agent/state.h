/*
 * What the agent keeps for each host thread, and the tokens that say where the
 * thread is, so that the agent neither tracks itself nor counts twice:
 *
 *   allocator_frame  the frame of the hook that is calling the next allocator;
 *                    what that calls in turn, further down the same stack, is
 *                    its own business. A frame above it means that the host
 *                    left the allocator by longjmp.
 *   tracking         inside the tracker, perhaps holding a lock: what a signal
 *                    handler does now waits in `pending`.
 *   own              the agent's own thread, or the agent is calling libraries
 *                    that may allocate: nothing is tracked.
 *
 * Only the thread itself uses its state, but for `held`, which snapshots read. A
 * state's memory is never given back, only used for another thread.
 */
#ifndef LA_STATE_H
#define LA_STATE_H

#include "agent/sampler.h"
#include "agent/system.h"
#include "agent/visibility.h"

#include <stdbool.h>
#include <stdint.h>

enum { LA_MOST_FRAMES = 256, LA_HELD_COUNTS = 256 };

/* Counts that are not yet in their site's: shared lines stay unshared. */
struct la_held {
	uint32_t site;
	uint32_t objects;
	uint64_t bytes;
};

struct la_events;
struct la_leaf_set;
struct la_trail;

/* `aside` of a thread that is inside the tracker and nothing else. */
enum { LA_ASIDE_TRACKING = 1 };

struct la_state {
	uintptr_t allocator_frame;
	union {
		struct {
			uint32_t tracking;
			uint16_t own;
			/* Shared by threads at their very end, under
			 * LA_LOCK_SPARE: unlike the others, it does not say
			 * where its thread is. */
			bool spare;
		};
		/* 0: none of these. Written whole where all of it is known:
		 * reading it right after a part was written would stall. */
		uint64_t aside;
	};
	int64_t growth; /* live bytes gained and not yet reported */
	uintptr_t stack_low, stack_high; /* 0, 0: unknown */
	struct la_events *pending;
	struct la_trail *trail; /* trail.c: the last stack that was captured */
	struct la_leaf_set *leaves; /* trail.h: stacks to know again; may be NULL */
	uint32_t leaves_generation; /* of the modules, that leaves are of */
	struct la_sampler sampler;
	const void *last_block; /* the last one that this thread recorded */
	uint32_t terminate; /* signal to die of once outside the tracker */
	uintptr_t frame_mask; /* all ones, or 0 for the spare one */
	uint32_t held_version; /* odd while held counts move to their sites */
	struct la_held held[LA_HELD_COUNTS];
	uint32_t frames[LA_MOST_FRAMES];
	bool in_use;
	struct la_state *older; /* of all states there ever were */
	struct la_state *next_unused;
};

enum la_mode {
	LA_MODE_PASSIVE, /* not ready yet, or not this program: only forward */
	LA_MODE_OFF,     /* nothing new is recorded, frees are */
	LA_MODE_ON
};

extern LA_HIDDEN uint32_t la_mode;
extern LA_HIDDEN __thread struct la_state *la_state_of_thread;
/* What la_state_of_thread points to once the thread has given its state back. */
extern LA_HIDDEN struct la_state la_state_gone;

static inline enum la_mode la_mode_now(void)
{
	return __atomic_load_n(&la_mode, __ATOMIC_RELAXED);
}

/* Prepares for states to end with their threads. 0 or -errno. */
int la_state_boot(void);

/* The state of a thread that has none yet, or NULL when there is no memory. */
struct la_state *la_state_create(void);

/* This thread's, or NULL. */
static inline struct la_state *la_state_get(void)
{
	struct la_state *state = la_state_of_thread;

	return la_likely(state != NULL) ? state : la_state_create();
}

/* Around the call of the next allocator. */
static inline void la_allocator_enter(struct la_state *state, const void *frame)
{
	state->allocator_frame = (uintptr_t)frame & state->frame_mask;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void la_allocator_leave(struct la_state *state)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	state->allocator_frame = 0;
}

/* Of the state that threads share at their end: whoever is inside has its lock. */
bool la_state_inside_spare(void);
void la_state_enter_spare(void);
void la_state_leave_spare(void);

/* Whether the thread was interrupted inside the tracker. */
static inline bool la_state_inside_tracker(const struct la_state *state)
{
	return la_unlikely(state->spare) ? la_state_inside_spare() :
					   state->tracking;
}

static inline void la_state_enter_tracker(struct la_state *state)
{
	if (la_unlikely(state->spare))
		la_state_enter_spare();
	state->tracking = 1;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void la_state_leave_tracker(struct la_state *state)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	state->tracking = 0;
	if (la_unlikely(state->spare))
		la_state_leave_spare();
}

/* Gives the place for a site's counts to this site. */
void la_state_hold(struct la_state *state, struct la_held *held, uint32_t site);

/*
 * Counts an allocation of the thread's for later. Plain additions: whoever sums
 * meanwhile reads each word at once, as it is.
 */
__attribute__((no_sanitize("thread"))) static inline void
la_state_count(struct la_state *state, uint32_t site, uint64_t bytes)
{
	struct la_held *held = &state->held[site % LA_HELD_COUNTS];

	if (la_unlikely(held->site != site || held->objects == UINT32_MAX))
		la_state_hold(state, held, site);
	held->objects++;
	held->bytes += bytes;
}

/* Takes bytes away from what was counted for an allocation just now. */
void la_state_uncount(struct la_state *state, uint32_t site, uint64_t bytes);

/* Adds what all threads hold back to totals[site] for sites up to `most`. */
struct la_counts;
void la_state_sum_held(struct la_counts *totals, uint32_t most);

/*
 * Tells how often such counts have moved to their sites so far: a sum that is
 * to match the sites' own counts sees the same number before and after. False
 * when one is just moving.
 */
bool la_state_moves(uint64_t *moves);

/*
 * The same of one site: adds what is held back of it, and tells how often those
 * that hold it have moved counts.
 */
bool la_state_held_of(uint32_t site, struct la_counts *sum, uint64_t *moves);

/* In a forked child: keeps only the calling thread's. Locks are held. */
void la_state_after_fork(void);

/* Events that could not be recorded. */
void la_drop(void);
uint64_t la_drops(void);

#endif
