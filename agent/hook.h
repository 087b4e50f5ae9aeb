/* What every file of hooks begins with. */
#ifndef LA_HOOK_H
#define LA_HOOK_H

#include "agent/boot.h"
#include "agent/modules.h"
#include "agent/real.h"
#include "agent/state.h"
#include "agent/system.h"
#include "agent/tracker.h"

#define LA_EXPORT __attribute__((visibility("default")))

/* The hook's own frame: its caller's stack begins there. */
#define LA_FRAME __builtin_frame_address(0)

#define LA_CALLER ((uintptr_t)__builtin_return_address(0))

/*
 * Begins a hook whose frame is `frame`: the state to track with, or NULL when
 * the call is to be forwarded and not tracked.
 */
static inline struct la_state *la_hook_enter(const void *frame)
{
	struct la_state *state;

	if (la_unlikely(la_mode_now() == LA_MODE_PASSIVE))
		return la_boot_early(frame);
	state = la_state_get();
	if (la_unlikely(!state || state->own ||
			(state->allocator_frame &&
			 (uintptr_t)frame < state->allocator_frame)))
		return NULL;
	return state;
}

#endif
