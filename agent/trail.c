/* See trail.h. */

#include "agent/trail.h"

#include "agent/frames.h"
#include "agent/lock.h"
#include "agent/memory.h"
#include "agent/modules.h"
#include "agent/sites.h"
#include "agent/stack.h"

#include <stdbool.h>
#include <string.h>

/*
 * Beyond the frames that are kept of a stack, so many more are unwound, so that
 * a deep stack can shrink without being unwound anew.
 */
enum { SPARE_FRAMES = 64 };

/* Frames without a place in the stack, such as the agent's, take room too. */
enum { TRAIL_FRAMES = LA_MOST_FRAMES + SPARE_FRAMES + 64 };

enum { NODES_TOGETHER = 16 };

enum { FRAME_MEMO_BITS = 10, NODE_MEMO_BITS = 11 };

/* What is asked of a frame, without a way to where it is kept. */
struct place {
	struct la_rule rule;
	uint32_t id; /* 0: not shown, the agent's own */
};

struct step {
	uint64_t stamp; /* never twice the same, 0 = not on the trail */
	struct la_registers registers; /* that the frame began with */
	struct place place;
	uint32_t node; /* of the stack up to this frame, 0 = not made */
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
};

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
	/* The outermost first; while unwinding, fresh ones lie at the end. */
	struct step steps[TRAIL_FRAMES];
	struct la_word words[2 * TRAIL_FRAMES];
	struct {
		uintptr_t address;
		struct place place;
	} frame_memo[1 << FRAME_MEMO_BITS];
	struct {
		uint32_t caller, frame, node;
	} node_memo[1 << NODE_MEMO_BITS];
	struct la_leaf leaves[LA_LEAVES];
};

static unsigned memo_slot(uint64_t key, unsigned bits)
{
	return (unsigned)(key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - bits));
}

/* Learns a frame that the memo does not have. */
static bool __attribute__((noinline))
look_up_frame(struct la_trail *trail, unsigned slot, uintptr_t address)
{
	uint32_t id = la_frames_find(address, true);
	const struct la_frame *frame;

	if (!id)
		return false;
	frame = la_frame_at(id);
	trail->frame_memo[slot].address = address;
	trail->frame_memo[slot].place = (struct place){
		.rule = frame->rule,
		.id = frame->ours ? 0 : id,
	};
	return true;
}

static inline bool find_frame(struct la_trail *trail, struct step *step)
{
	uintptr_t address = step->registers.pc;
	unsigned slot = memo_slot(address, FRAME_MEMO_BITS);

	if (la_unlikely(trail->frame_memo[slot].address != address) &&
	    !look_up_frame(trail, slot, address))
		return false;
	step->place = trail->frame_memo[slot].place;
	return true;
}

static unsigned node_slot(uint32_t caller, uint32_t frame)
{
	return memo_slot((uint64_t)caller << 32 | frame, NODE_MEMO_BITS);
}

static void memorise_node(struct la_trail *trail, uint32_t caller,
			  uint32_t frame, uint32_t node)
{
	unsigned slot = node_slot(caller, frame);

	trail->node_memo[slot].caller = caller;
	trail->node_memo[slot].frame = frame;
	trail->node_memo[slot].node = node;
}

/* The node, or 0 when there is none yet. */
static inline uint32_t known_node(struct la_trail *trail, uint32_t caller,
				  uint32_t frame)
{
	unsigned slot = node_slot(caller, frame);
	uint32_t node;

	if (la_likely(trail->node_memo[slot].caller == caller &&
		      trail->node_memo[slot].frame == frame))
		return trail->node_memo[slot].node;
	node = la_node_known(caller, frame);
	if (node)
		memorise_node(trail, caller, frame, node);
	return node;
}

/* Whether unwinding from these registers goes the way of a step. */
static bool same_way(const struct step *step,
		     const struct la_registers *registers)
{
	return step->registers.pc == registers->pc &&
	       step->registers.sp == registers->sp &&
	       (!step->needs_fp || step->registers.fp == registers->fp);
}

/* Steps once more out of a frame that is in the trail, and compares. */
static bool steps_alike(const struct la_state *state, const struct step *step)
{
	struct la_registers registers = step->registers;
	enum la_step went =
		la_unwind_step(&step->place.rule, &registers,
			       la_stack_limit(state, registers.sp));

	return went != LA_STEP_END && went != LA_STEP_LOST &&
	       same_way(step - 1, &registers);
}

/* Whether the trail still comes to its end as it did. */
static bool ends_alike(const struct la_state *state,
		       const struct la_trail *trail)
{
	const struct step *last = &trail->steps[0];
	struct la_registers registers = last->registers;
	enum la_step went;

	if (trail->outcome == TRAIL_CUT ||
	    last->place.rule.kind == LA_RULE_END)
		return true;
	went = la_unwind_step(&last->place.rule, &registers,
			      la_stack_limit(state, registers.sp));
	return went == (trail->outcome == TRAIL_WHOLE ? LA_STEP_END :
							LA_STEP_LOST);
}

/*
 * From `to` down to `from`, which is from the leaf outwards; `sp` is the leaf's.
 * The stack may end earlier than it did.
 */
static bool words_hold(const struct la_word *from, const struct la_word *to,
		       uintptr_t sp)
{
	/* At sp itself, the stack may end. */
	uintptr_t near = sp - sizeof(uintptr_t);

	while (to-- > from) {
		if (!la_unwind_readable((uintptr_t)to->address, near) ||
		    *to->address != to->value)
			return false;
		near = (uintptr_t)to->address;
	}
	return true;
}

/* The same where the whole stack is known to be readable. */
static bool words_hold_together(const struct la_word *from,
				const struct la_word *to)
{
	for (; (to - from) % LA_WORDS_TOGETHER; to--)
		if (*to[-1].address != to[-1].value)
			return false;
	return la_trail_words_hold(from, to);
}

/*
 * Whether the stack from a frame of the trail outwards is what it was. From the
 * leaf outwards, each word is where unwinding would read it now.
 */
static bool unchanged(const struct la_state *state,
		      const struct la_trail *trail, unsigned from)
{
	const struct step *step = &trail->steps[from];

	if (la_likely(!step->special &&
		      la_stack_limit(state, step->registers.sp)))
		return words_hold_together(trail->words,
					   trail->words + step->words) &&
		       ends_alike(state, trail);
	for (; step > trail->steps; step--) {
		const struct step *caller = step - 1;

		if (step->special != caller->special ?
			    !steps_alike(state, step) :
			    !words_hold(trail->words + caller->words,
					trail->words + step->words,
					step->registers.sp))
			return false;
	}
	return ends_alike(state, trail);
}

static bool uses_fp(const struct la_rule *rule)
{
	return rule->kind == LA_RULE_FP || rule->kind == LA_RULE_FP_SLOT ||
	       rule->kind == LA_RULE_GUESS;
}

/* Whether all that was read to step out of the frame is two words at most. */
static bool is_plain(const struct step *step)
{
	return (step->place.rule.kind == LA_RULE_SP ||
		step->place.rule.kind == LA_RULE_FP ||
		step->place.rule.kind == LA_RULE_GUESS) &&
	       !step->elsewhere;
}

/*
 * Whether the caller's frame pointer was read to step out of the frame, and
 * where, relative to the CFA: a guess takes what every function that has a frame
 * pointer does.
 */
static bool reads_fp(const struct la_rule *rule)
{
	return rule->fp_rule == LA_FP_SAVED || rule->kind == LA_RULE_GUESS;
}

static intptr_t fp_slot(const struct la_rule *rule)
{
	return la_unlikely(rule->kind == LA_RULE_GUESS) ?
		       -2 * (intptr_t)sizeof(uintptr_t) :
		       rule->fp;
}

/* Of frames in code without a file that follow each other, one is shown. */
static inline bool is_shown(uint32_t id, uint32_t neighbour)
{
	return id && !(la_unlikely(id == LA_FRAME_ID_JIT) &&
		       neighbour == LA_FRAME_ID_JIT);
}

/* The outermost frame has no caller to have read: see ends_alike. */
static void begin_steps(struct step *step)
{
	step->needs_fp = uses_fp(&step->place.rule);
	step->special = 0;
	step->words = 0;
	step->has_place = step->place.id != 0;
	step->shown = step->has_place;
}

/*
 * Completes a step that was put on the trail: the words that its caller's
 * registers were read from, as far as they matter. The caller's sp is the CFA.
 */
static inline void describe(struct la_trail *trail, struct step *step)
{
	const struct step *caller = step - 1;
	const struct la_rule *rule = &step->place.rule;
	uintptr_t cfa = caller->registers.sp;
	struct la_word *word = trail->words + caller->words;

	step->needs_fp = uses_fp(rule) ||
			 (rule->fp_rule == LA_FP_SAME && caller->needs_fp);
	step->has_place = is_shown(step->place.id, caller->place.id);
	step->shown = (uint16_t)(caller->shown + step->has_place);
	step->special = caller->special;
	if (la_likely(is_plain(step))) {
		if (caller->needs_fp && reads_fp(rule))
			*word++ = (struct la_word){
				(const uintptr_t *)(cfa +
						    (uintptr_t)fp_slot(rule)),
				caller->registers.fp,
			};
		*word++ = (struct la_word){
			(const uintptr_t *)(cfa +
					    LA_ARCH_RETURN_ADDRESS_OFFSET),
			caller->registers.pc + 1,
		};
	} else {
		step->special++;
	}
	step->words = (uint16_t)(word - trail->words);
}

/* The fresh ones, counted from the leaf. */
static struct step *fresh_step(struct la_trail *trail, unsigned number)
{
	return &trail->steps[TRAIL_FRAMES - 1 - number];
}

/* Puts the fresh frames on the trail, outermost first. */
static void extend(struct la_trail *trail, unsigned fresh)
{
	struct step *step = &trail->steps[trail->count];
	const struct step *from = &trail->steps[TRAIL_FRAMES - fresh];

	/* Their words are overwritten, by however many steps that takes. */
	while (trail->stamped > trail->count)
		trail->steps[--trail->stamped].stamp = 0;
	trail->count += fresh;
	trail->stamped = trail->count;
	for (; fresh > 0; fresh--, step++, from++) {
		step->registers = from->registers;
		step->place = from->place;
		step->elsewhere = from->elsewhere;
		step->stamp = ++trail->last_stamp;
		if (la_likely(step > trail->steps))
			describe(trail, step);
		else
			begin_steps(step);
	}
}

/* Fills in the nodes that there are; the number of steps that have theirs. */
static unsigned find_nodes(struct la_trail *trail, unsigned at, uint32_t node)
{
	const struct step *end = &trail->steps[trail->count];
	struct step *step = &trail->steps[at];

	for (; step < end; step++) {
		if (step->has_place)
			node = known_node(trail, node, step->place.id);
		if (!node)
			break;
		step->node = node;
	}
	return (unsigned)(step - trail->steps);
}

/* Makes nodes for steps from `at` on; how many have theirs then. */
static unsigned make_nodes(struct la_trail *trail, unsigned at, uint32_t node)
{
	uint32_t frames[NODES_TOGETHER] = { 0 }, nodes[NODES_TOGETHER];
	unsigned count = 0, end = at;

	for (; end < trail->count && count < NODES_TOGETHER; end++)
		if (trail->steps[end].has_place)
			frames[count++] = trail->steps[end].place.id;
	if (!la_nodes_add(node, frames, count, nodes))
		return at;
	for (count = 0; at < end; at++) {
		if (trail->steps[at].has_place) {
			memorise_node(trail, node, frames[count], nodes[count]);
			node = nodes[count++];
		}
		trail->steps[at].node = node;
	}
	return at;
}

/* The nodes of the steps from `from` on, which is called from `caller`. */
static bool name_steps(struct la_trail *trail, unsigned from, uint32_t caller)
{
	unsigned at = find_nodes(trail, from, caller);

	/* A new stack takes several locks: one calm for all of them. */
	if (at < trail->count && !trail->calm) {
		trail->calm = true;
		la_calm_begin();
	}
	while (at < trail->count) {
		unsigned done = make_nodes(
			trail, at, at > from ? trail->steps[at - 1].node : caller);

		if (done == at)
			return false;
		at = done;
	}
	return true;
}

/* The node of a stack that is deeper than is kept: of its leaf side. */
static uint32_t truncated_node(struct la_state *state,
			       const struct la_trail *trail, unsigned most)
{
	struct la_capture capture = { .truncated = true };

	for (unsigned i = trail->count; i-- > 0 && capture.count < most;)
		if (trail->steps[i].has_place)
			state->frames[capture.count++] = trail->steps[i].place.id;
	return la_stack_node(state->frames, capture);
}

/*
 * Unwinds until a frame that the trail holds, whose number of frames from the
 * end is returned; 0 if there is none, and then trail->outcome tells the end.
 */
static unsigned unwind(struct la_state *state, struct la_trail *trail,
		       struct la_registers registers, unsigned *fresh)
{
	uintptr_t limit = la_stack_limit(state, registers.sp);
	unsigned enough = la_stack_depth() + SPARE_FRAMES, shown = 0;
	const struct step *kept = &trail->steps[trail->count];
	struct step *step = fresh_step(trail, 0);
	uint32_t neighbour = 0;

	*fresh = 0;
	for (; shown < enough && *fresh < TRAIL_FRAMES; ++*fresh, step--) {
		enum la_step went;

		/* What is about to be overwritten is not kept. */
		if (la_unlikely(kept > step))
			kept = step;
		while (kept > trail->steps &&
		       kept[-1].registers.sp < registers.sp)
			kept--;
		if (kept > trail->steps && same_way(kept - 1, &registers) &&
		    unchanged(state, trail,
			      (unsigned)(kept - 1 - trail->steps)))
			return (unsigned)(kept - trail->steps);
		step->registers = registers;
		if (!find_frame(trail, step)) {
			trail->outcome = TRAIL_LOST;
			return 0;
		}
		shown += is_shown(step->place.id, neighbour);
		neighbour = step->place.id;
		step->elsewhere = false;
		if (la_likely(la_unwind_step_plainly(&step->place.rule,
						     &registers, limit)))
			continue;
		went = la_unwind_step(&step->place.rule, &registers, limit);
		step->elsewhere = went == LA_STEP_ELSEWHERE;
		if (went == LA_STEP_INTERRUPTED || went == LA_STEP_ELSEWHERE)
			limit = la_stack_limit(state, registers.sp);
		if (went == LA_STEP_END || went == LA_STEP_LOST) {
			++*fresh;
			trail->outcome = went == LA_STEP_END ? TRAIL_WHOLE :
					 step->place.rule.kind ==
							 LA_RULE_OPAQUE ?
							       TRAIL_CUT :
							       TRAIL_LOST;
			return 0;
		}
	}
	trail->outcome = TRAIL_CUT;
	return 0;
}

/* Without the trail: for stacks with more hidden frames than it has room for. */
static uint32_t plain_node(struct la_state *state,
			   struct la_registers registers)
{
	struct la_capture walked =
		la_stack_walk(state, registers, state->frames, true);

	return la_stack_node(state->frames, walked);
}

/* The node of what is on the trail; 0 when that does not tell, or no memory. */
static uint32_t trail_node(struct la_state *state, struct la_trail *trail)
{
	const struct step *leaf = &trail->steps[trail->count - 1];

	if (leaf->shown > la_stack_depth())
		return truncated_node(state, trail, la_stack_depth());
	if (trail->outcome == TRAIL_CUT)
		return 0;
	/* Nothing but the agent's own frames has no node. */
	return leaf->node ? leaf->node :
			    la_node_find(LA_ROOT_NODE, LA_FRAME_ID_TRUNCATED);
}

/* The node of the stack on the trail, whose steps from `from` on are new. */
static uint32_t name_trail(struct la_state *state, struct la_trail *trail,
			   unsigned from)
{
	uint32_t caller = from ? trail->steps[from - 1].node : LA_ROOT_NODE;

	/* The nodes of a stack that was cut lead nowhere. */
	if (trail->outcome == TRAIL_CUT) {
		for (unsigned at = from; at < trail->count; at++)
			trail->steps[at].node = 0;
		return trail_node(state, trail);
	}
	if (!from && trail->outcome == TRAIL_LOST)
		caller = la_node_find(LA_ROOT_NODE, LA_FRAME_ID_TRUNCATED);
	return name_steps(trail, from, caller) ? trail_node(state, trail) : 0;
}

static uint32_t capture(struct la_state *state, struct la_trail *trail,
			struct la_registers registers, unsigned *fresh)
{
	unsigned kept = unwind(state, trail, registers, fresh);
	uint32_t node = 0;

	trail->count = kept;
	extend(trail, *fresh);
	if (la_likely(trail->count))
		node = name_trail(state, trail, kept);
	if (la_likely(node))
		return node;
	/* What was left of a stack that was cut is too little, for one. */
	trail->count = 0;
	return plain_node(state, registers);
}

/* Forgets what is known of addresses. */
static void restart(struct la_trail *trail, uint32_t generation)
{
	trail->generation = generation;
	memset(trail->frame_memo, 0, sizeof(trail->frame_memo));
}

static void forget_leaves(struct la_state *state, struct la_trail *trail)
{
	static const uint64_t never;

	for (unsigned i = 0; i < LA_LEAVES; i++)
		trail->leaves[i] = (struct la_leaf){ .stamp = &never,
						     .stamp_was = 1 };
	trail->count = 0;
	state->leaves = trail->leaves;
	state->leaves_generation = trail->generation;
}

/* The trail, ready for a capture, or NULL. */
static struct la_trail *begin(struct la_state *state)
{
	struct la_trail *trail = state->trail;
	uint32_t generation;

	/* States that threads share are used under a lock. */
	if (la_unlikely(la_modules_suspected()) && !state->spare)
		la_modules_refresh();
	if (la_unlikely(!trail)) {
		trail = state->trail = la_memory_map_for(LA_MEMORY_THREADS,
							 sizeof(*trail));
		if (!trail)
			return NULL;
	}
	generation = la_modules_generation();
	if (la_unlikely(trail->generation != generation))
		restart(trail, generation);
	/* What an earlier thread left there is of another stack. */
	if (la_unlikely(!state->leaves || state->leaves_generation != generation))
		forget_leaves(state, trail);
	return trail;
}

static void end(struct la_trail *trail)
{
	if (trail->calm) {
		trail->calm = false;
		la_calm_end();
	}
}

static uint32_t untracked_node(void)
{
	return la_node_find(LA_ROOT_NODE, LA_FRAME_ID_UNTRACKED);
}

uint32_t la_trail_capture(struct la_state *state, struct la_registers registers)
{
	struct la_trail *trail = begin(state);
	unsigned fresh;
	uint32_t node;

	if (!trail)
		return untracked_node();
	node = capture(state, trail, registers, &fresh);
	end(trail);
	return node;
}

/* Whether words are all that the stack on the trail depends on. */
static bool only_words_matter(const struct la_state *state,
			      const struct la_trail *trail)
{
	const struct step *leaf;

	if (!trail->count)
		return false;
	leaf = &trail->steps[trail->count - 1];
	return !leaf->special && la_stack_limit(state, leaf->registers.sp) &&
	       (trail->outcome == TRAIL_CUT ||
		trail->steps[0].place.rule.kind == LA_RULE_END);
}

/* The one to give up for another stack with these registers. */
static struct la_leaf *choose_leaf(const struct la_state *state,
				   struct la_registers registers)
{
	struct la_leaf *leaf = la_trail_leaves(state, registers);

	for (unsigned way = 0; way < LA_LEAF_WAYS; way++)
		if (*leaf[way].stamp != leaf[way].stamp_was)
			return &leaf[way];
	return &leaf[state->trail->last_stamp % LA_LEAF_WAYS];
}

/* Remembers the stack on the trail, `fresh` frames of which are new there. */
static void remember(const struct la_state *state, const struct la_trail *trail,
		     unsigned fresh, uint32_t site)
{
	static const uintptr_t nothing;
	const struct step *top = &trail->steps[trail->count - 1];
	const struct step *base = trail->count > fresh ? top - fresh : top;
	unsigned shared = base->words - base->words % LA_WORDS_TOGETHER;
	unsigned own = top->words - shared;
	struct la_leaf *leaf = choose_leaf(state, top->registers);

	if (own > LA_LEAF_WORDS) {
		base = top;
		shared = top->words - top->words % LA_WORDS_TOGETHER;
		own = top->words - shared;
	}
	leaf->pc = top->registers.pc;
	leaf->sp = top->registers.sp;
	leaf->fp = top->registers.fp;
	leaf->fp_mask = top->needs_fp ? UINTPTR_MAX : 0;
	leaf->stamp = &base->stamp;
	leaf->stamp_was = base->stamp;
	leaf->site = site;
	leaf->trail = trail->words;
	leaf->trail_words = (uint16_t)shared;
	memcpy(leaf->own, trail->words + shared, own * sizeof(*leaf->own));
	/* Words that always hold, to make the number a multiple. */
	for (; own % LA_WORDS_TOGETHER; own++)
		leaf->own[own] = (struct la_word){ &nothing, nothing };
	leaf->own_words = (uint16_t)own;
}

uint32_t la_trail_heap_site(struct la_state *state,
			    struct la_registers registers)
{
	struct la_trail *trail = begin(state);
	unsigned fresh;
	uint32_t node, site;

	if (!trail)
		return la_sites_heap(untracked_node());
	node = capture(state, trail, registers, &fresh);
	site = node ? la_sites_heap(node) : 0;
	end(trail);
	if (site && !state->spare && only_words_matter(state, trail))
		remember(state, trail, fresh, site);
	return site;
}
