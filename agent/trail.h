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
#include "agent/modules.h"
#include "agent/state.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether words of a stack hold what they held, from the leaf outwards. Several
 * are looked at together, and so also some behind one that has changed: the
 * whole stack must be readable. Their number is a multiple of LA_WORDS.
 */
static inline bool la_trail_words_hold(const struct la_word *from,
				       const struct la_word *to)
{
	for (; to > from; to -= LA_WORDS)
		if (la_unlikely((*to[-1].address ^ to[-1].value) |
				(*to[-2].address ^ to[-2].value) |
				(*to[-3].address ^ to[-3].value) |
				(*to[-4].address ^ to[-4].value)))
			return false;
	return true;
}

/*
 * The site (kind heap) of the stack from these registers outwards when it is
 * the one that the thread captured last; otherwise 0. The thread's own, in a
 * state that it shares with none.
 */
static inline uint32_t la_trail_repeated(const struct la_state *state,
					 struct la_registers registers)
{
	const struct la_leaf *leaf = &state->leaf;

	if (la_unlikely((registers.pc ^ leaf->pc) |
			(registers.sp ^ leaf->sp) |
			((registers.fp ^ leaf->fp) & leaf->fp_mask) |
			(la_modules_generation() ^ leaf->generation)) ||
	    la_unlikely(la_modules_suspected()) ||
	    !la_trail_words_hold(leaf->words, leaf->words_end))
		return 0;
	return leaf->site;
}

/*
 * The site of the stack from `registers` outwards, or 0 when memory ran out.
 * None of the agent's locks may be held.
 */
uint32_t la_trail_heap_site(struct la_state *state,
			    struct la_registers registers);

/* The same, but the stack's node (sites.h). */
uint32_t la_trail_capture(struct la_state *state, struct la_registers registers);

#endif
