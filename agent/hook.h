/* What every file of hooks begins with. */
#ifndef LA_HOOK_H
#define LA_HOOK_H

#include "agent/boot.h"
#include "agent/modules.h"
#include "agent/real.h"
#include "agent/state.h"
#include "agent/system.h"
#include "agent/tracker.h"
#include "agent/visibility.h"

/* The hook's own frame: its caller's stack begins there. */
#define LA_FRAME __builtin_frame_address(0)

#define LA_CALLER ((uintptr_t)__builtin_return_address(0))

/* Whether the thread is neither inside the agent nor inside the allocator. */
static inline bool la_hook_outside(const struct la_state *state)
{
	return la_likely(state != NULL) &&
	       la_likely(!(state->aside | state->allocator_frame));
}

/* The rest of la_hook_enter, for whatever is not the common case. */
struct la_state *la_hook_enter_carefully(const void *frame);

/*
 * Begins a hook whose frame is `frame`: the state to track with, or NULL when
 * the call is to be forwarded and not tracked.
 */
static inline struct la_state *la_hook_enter(const void *frame)
{
	struct la_state *state = la_state_of_thread;

	return la_likely(la_hook_outside(state) &&
			 la_tracker_care_of_all() != LA_CARE_FULL) ?
		       state :
		       la_hook_enter_carefully(frame);
}

#endif
