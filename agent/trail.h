/*
 * Capturing the stack of a thread that captures all the time: only what has
 * changed since the last time is unwound.
 *
 * The trail is the last capture, frame by frame, with the registers that each
 * frame began with and the places where its caller's were read. Unwinding
 * starts at the top as ever, but as soon as it arrives at a frame whose
 * registers are those of a frame in the trail, and every word that was read
 * from there on still holds what it held, the rest of the stack is the rest of
 * the trail: unwinding again would read the same words and come to the same
 * end. It is not enough that some frame has the same CFA and return address:
 * with alloca, a different caller can lie behind them.
 *
 * No return address is patched, and nothing is assumed of the host.
 */
#ifndef LA_TRAIL_H
#define LA_TRAIL_H

#include "agent/arch.h"
#include "agent/state.h"

#include <stdint.h>

/*
 * The node (sites.h) of the calling thread's stack from `registers` outwards,
 * or 0 when memory ran out. None of the agent's locks may be held.
 */
uint32_t la_trail_capture(struct la_state *state, struct la_registers registers);

#endif
