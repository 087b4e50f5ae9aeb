/*
 * Walking the calling thread's stack, plainly: see trail.h for the fast way,
 * which comes to the same result.
 */
#ifndef LA_STACK_H
#define LA_STACK_H

#include "agent/arch.h"
#include "agent/state.h"

#include <stdbool.h>
#include <stdint.h>

struct la_capture {
	uint32_t count;  /* frames, leaf first */
	bool truncated; /* there are more, or there may be */
};

/* Frames kept of each stack, 1 .. LA_MOST_FRAMES. Set before tracking begins. */
void la_stack_set_depth(unsigned depth);
unsigned la_stack_depth(void);

/*
 * Where the stack that `sp` is on ends, or 0 where that is not known: not every
 * stack is the thread's own (coroutines, alternate signal stacks).
 */
static inline uintptr_t la_stack_limit(const struct la_state *state,
				       uintptr_t sp)
{
	return sp >= state->stack_low && sp < state->stack_high ?
		       state->stack_high :
		       0;
}

/*
 * The frames from `registers` outwards, without the agent's own, into
 * frames[LA_MOST_FRAMES]. With `patient`, addresses that were never seen are
 * looked up in the present map of modules, for which none of the agent's locks
 * may be held; otherwise the stack ends there (a signal handler has interrupted
 * the agent). To be called by functions further in than `registers`.
 */
struct la_capture la_stack_walk(struct la_state *state,
				struct la_registers registers, uint32_t *frames,
				bool patient);

/*
 * Whether one of the frames from `registers` outwards is at an address that
 * `wanted` says yes to, as far as the stack can be followed. On the agent's
 * conditions for a patient walk.
 */
bool la_stack_has(const struct la_state *state, struct la_registers registers,
		  bool (*wanted)(uintptr_t pc));

/* The node of a captured stack, or 0 when memory ran out. */
uint32_t la_stack_node(const uint32_t *frames, struct la_capture capture);

#endif
