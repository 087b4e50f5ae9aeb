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

/* A word of the stack that unwinding read, and what it held. */
struct la_word {
	const uintptr_t *address;
	uintptr_t value;
};

enum {
	LA_WORDS_TOGETHER = 4, /* that are compared at once */
	LA_LEAF_WORDS = 16,
	LA_LEAF_BITS = 4,
	/* Libraries that wrap malloc call it from one place for many callers. */
	LA_LEAF_WAYS = 8,
	LA_LEAF_SETS = 1 << LA_LEAF_BITS,
	LA_LINE_BYTES = 64 /* of the processor's cache */
};

/*
 * A stack that was captured lately, as seen from its leaf: if the registers are
 * these and all words hold what they held, it is that stack again. The words of
 * its outer frames are the trail's: `stamp` is where the trail has a number that
 * changes when those frames do.
 */
struct la_leaf {
	uintptr_t pc, sp, fp;
	uintptr_t fp_mask; /* 0 when the frame pointer does not matter */
	const uint64_t *stamp;
	uint64_t stamp_was;
	uint32_t site;
	/* Both are multiples of LA_WORDS_TOGETHER. */
	uint16_t own_words, trail_words;
	const struct la_word *trail;
	struct la_word own[LA_LEAF_WORDS];
} __attribute__((aligned(LA_LINE_BYTES)));

/* Leaves with registers that are mapped to the same set. */
struct la_leaf_set {
	struct la_leaf ways[LA_LEAF_WAYS];
	/* Where a stack may be, without a look at each leaf. */
	uint32_t tags[LA_LEAF_WAYS];
	uint32_t last; /* the way that was found last: the next one, mostly */
} __attribute__((aligned(LA_LINE_BYTES)));

/*
 * Whether words hold what they held, from the leaf outwards. Several are looked
 * at together, and so also some behind one that has changed: the whole stack
 * must be readable.
 */
static inline bool la_trail_words_hold(const struct la_word *from,
				       const struct la_word *to)
{
	for (; to > from; to -= LA_WORDS_TOGETHER)
		if (la_unlikely((*to[-1].address ^ to[-1].value) |
				(*to[-2].address ^ to[-2].value) |
				(*to[-3].address ^ to[-3].value) |
				(*to[-4].address ^ to[-4].value)))
			return false;
	return true;
}

static inline bool la_trail_is_at(const struct la_leaf *leaf,
				  struct la_registers registers)
{
	return !((registers.pc ^ leaf->pc) | (registers.sp ^ leaf->sp) |
		 ((registers.fp ^ leaf->fp) & leaf->fp_mask)) &&
	       *leaf->stamp == leaf->stamp_was &&
	       la_trail_words_hold(leaf->own, leaf->own + leaf->own_words) &&
	       la_trail_words_hold(leaf->trail,
				   leaf->trail + leaf->trail_words);
}

/* Where a stack with these registers would be. */
static inline struct la_leaf_set *
la_trail_leaves(const struct la_state *state, struct la_registers registers)
{
	uint64_t mixed = (registers.pc + registers.sp) *
			 UINT64_C(0x9e3779b97f4a7c15);

	return state->leaves + (mixed >> (64 - LA_LEAF_BITS));
}

static inline uint32_t la_trail_tag(struct la_registers registers)
{
	return (uint32_t)(registers.pc + registers.sp);
}

/* What la_trail_recall finds in other ways than the last one. */
uint32_t la_trail_recall_further(struct la_leaf_set *set,
				 struct la_registers registers);

/*
 * The site (kind heap) of the stack from these registers outwards, if it is one
 * that the thread has captured lately; otherwise 0. Always inline: a call, with
 * the registers in memory, takes a third of all that an allocation costs.
 */
static inline __attribute__((always_inline)) uint32_t
la_trail_recall(const struct la_state *state, struct la_registers registers)
{
	struct la_leaf_set *set;
	const struct la_leaf *leaf;

	if (la_unlikely(!state->leaves || la_modules_suspected() ||
			la_modules_generation() != state->leaves_generation))
		return 0;
	set = la_trail_leaves(state, registers);
	leaf = &set->ways[set->last];
	if (la_likely(la_trail_is_at(leaf, registers)))
		return leaf->site;
	return la_trail_recall_further(set, registers);
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
