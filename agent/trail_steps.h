/*
 * The steps of a trail, for trail*.c only: what they are, whether they still
 * hold (trail_steps.c), and the node or site of the stack they make
 * (trail_names.c).
 */
#ifndef LA_TRAIL_STEPS_H
#define LA_TRAIL_STEPS_H

#include "agent/frames.h"
#include "agent/trail.h"
#include "agent/way.h"

#include <stdbool.h>

/*
 * Beyond the frames that are kept of a stack, so many more are unwound, so that
 * a deep stack can shrink without being unwound anew.
 */
enum { SPARE_FRAMES = 64 };

/* Frames without a place in the stack, such as the agent's, take room too. */
enum { TRAIL_FRAMES = LA_MOST_FRAMES + SPARE_FRAMES + 64 };

enum { FRAME_MEMO_BITS = 10, SITE_MEMO_BITS = 10 };

/* What is asked of a frame, without a way to where it is kept. */
struct place {
	struct la_rule rule;
	uint32_t id; /* 0: not shown, the agent's own */
};

struct step {
	struct la_registers registers; /* that the frame began with */
	struct place place;
	la_way way; /* of the stack up to this frame */
	uint32_t node; /* the same, 0 = nobody has asked yet */
	/* Each of the stack from the trail's end up to and with this frame. */
	uint16_t shown;   /* frames that have a place in it */
	uint16_t words;   /* of trail->words */
	uint16_t special; /* frames that words do not describe */
	/*
	 * Whether the frame pointer that this frame began with decides where
	 * unwinding goes: most code uses that register for anything.
	 */
	bool needs_fp;
	bool elsewhere; /* its caller's frame is on another stack */
	bool has_place; /* in the stack that is shown */
} __attribute__((aligned(LA_LINE_BYTES)));

enum outcome {
	TRAIL_NONE, /* there is no trail */
	TRAIL_WHOLE,
	TRAIL_LOST, /* unwinding could not go on */
	TRAIL_CUT /* there is more: it was deep enough, or takes another way */
};

struct la_trail {
	uint32_t generation; /* of the modules */
	enum outcome outcome;
	unsigned count;
	bool calm; /* this capture has begun one, see lock.h */
	unsigned stamped; /* steps beyond `count` that leaves may still know */
	uint64_t last_stamp;
	unsigned depth; /* that depth_power is la_way_power of */
	uint64_t depth_power;
	/* Of the steps: never twice the same, 0 = not on the trail. */
	uint64_t stamps[TRAIL_FRAMES];
	/* The outermost first; while unwinding, fresh ones lie at the end. */
	struct step steps[TRAIL_FRAMES];
	struct la_word words[2 * TRAIL_FRAMES];
	struct {
		uintptr_t address;
		struct place place;
	} frame_memo[1 << FRAME_MEMO_BITS];
	struct {
		la_way way;
		uint32_t site;
	} site_memo[1 << SITE_MEMO_BITS];
	struct la_leaf_set leaves[LA_LEAF_SETS];
};

static inline unsigned la_memo_slot(uint64_t key, unsigned bits)
{
	return (unsigned)(key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - bits));
}

/* Whether unwinding from these registers goes the way of a step. */
static inline bool la_step_same_way(const struct step *step,
				    const struct la_registers *registers)
{
	return step->registers.pc == registers->pc &&
	       step->registers.sp == registers->sp &&
	       (!step->needs_fp || step->registers.fp == registers->fp);
}

/* Of frames in code without a file that follow each other, one is shown. */
static inline bool la_step_shown(uint32_t id, uint32_t neighbour)
{
	return id && !(la_unlikely(id == LA_FRAME_ID_JIT) &&
		       neighbour == LA_FRAME_ID_JIT);
}

/* The fresh ones, counted from the leaf. */
static inline struct step *la_trail_fresh(struct la_trail *trail,
					  unsigned number)
{
	return &trail->steps[TRAIL_FRAMES - 1 - number];
}

/*
 * Whether the stack from step `from` outwards is what it was: the thread is at
 * that step's registers.
 */
bool la_trail_unchanged(const struct la_state *state,
			const struct la_trail *trail, unsigned from);

/* Puts the fresh steps on the trail, outermost first. */
void la_trail_extend(struct la_trail *trail, unsigned fresh);

/*
 * The node of the stack on the trail; 0 when the trail does not tell, or memory
 * ran out. May begin a calm (lock.h), and then sets trail->calm.
 */
uint32_t la_trail_node(struct la_state *state, struct la_trail *trail);

/* The same, but the site (kind heap) of the stack. */
uint32_t la_trail_site(struct la_state *state, struct la_trail *trail);

#endif
