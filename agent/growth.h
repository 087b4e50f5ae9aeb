/*
 * Tells when live bytes have grown by so much. Threads add up on their own and
 * report a small part of the limit at a time, so it is told that much too late.
 */
#ifndef LA_GROWTH_H
#define LA_GROWTH_H

#include "agent/state.h"
#include "agent/system.h"
#include "agent/visibility.h"

#include <stdint.h>

/* 0 = not watched. Constant once tracking has begun. */
extern LA_HIDDEN uint64_t la_growth_limit;

/*
 * Calls `grew`, on any thread, when live bytes have grown by `bytes` since the
 * last call of la_growth_restart. `grew` must be safe in a signal handler.
 * Before tracking begins.
 */
void la_growth_watch(uint64_t bytes, void (*grew)(void));
void la_growth_restart(void);

/* The rest of la_growth_note. */
void la_growth_add(struct la_state *state, int64_t bytes);

/* Live bytes came, or went if negative. By the thread, inside the tracker. */
static inline void la_growth_note(struct la_state *state, int64_t bytes)
{
	if (la_unlikely(la_growth_limit))
		la_growth_add(state, bytes);
}

#endif
