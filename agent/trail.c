/* See trail.h. */

#include "agent/trail_steps.h"

#include "agent/lock.h"
#include "agent/memory.h"
#include "agent/modules.h"
#include "agent/sites.h"
#include "agent/stack.h"

#include <string.h>

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
	unsigned slot = la_memo_slot(address, FRAME_MEMO_BITS);

	if (la_unlikely(trail->frame_memo[slot].address != address) &&
	    !look_up_frame(trail, slot, address))
		return false;
	step->place = trail->frame_memo[slot].place;
	return true;
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
	struct step *step = la_trail_fresh(trail, 0);
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
		if (kept > trail->steps && la_step_same_way(kept - 1, &registers) &&
		    la_trail_unchanged(state, trail,
					 (unsigned)(kept - 1 - trail->steps)))
			return (unsigned)(kept - trail->steps);
		step->registers = registers;
		if (!find_frame(trail, step)) {
			trail->outcome = TRAIL_LOST;
			return 0;
		}
		shown += la_step_shown(step->place.id, neighbour);
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

/* Puts the stack on the trail. False when nothing of it is there. */
static bool follow(struct la_state *state, struct la_trail *trail,
		   struct la_registers registers, unsigned *fresh)
{
	trail->count = unwind(state, trail, registers, fresh);
	la_trail_extend(trail, *fresh);
	return trail->count > 0;
}

/* What was left of a stack that was cut may tell too little, for one. */
static uint32_t give_up(struct la_state *state, struct la_trail *trail,
			struct la_registers registers)
{
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

	for (unsigned i = 0; i < LA_LEAF_SETS * LA_LEAF_WAYS; i++)
		trail->leaves[i / LA_LEAF_WAYS].ways[i % LA_LEAF_WAYS] =
			(struct la_leaf){ .stamp = &never, .stamp_was = 1 };
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
	uint32_t node = 0;

	if (!trail)
		return untracked_node();
	if (la_likely(follow(state, trail, registers, &fresh)))
		node = la_trail_node(state, trail);
	if (la_unlikely(!node))
		node = give_up(state, trail, registers);
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

uint32_t la_trail_recall_further(struct la_leaf_set *set,
				 struct la_registers registers)
{
	uint32_t tag = la_trail_tag(registers);

	for (unsigned way = 0; way < LA_LEAF_WAYS; way++)
		if (set->tags[way] == tag &&
		    la_trail_is_at(&set->ways[way], registers)) {
			set->last = way;
			return set->ways[way].site;
		}
	return 0;
}

/* The way to give up for another stack with these registers. */
static unsigned choose_way(const struct la_trail *trail,
			   const struct la_leaf_set *set)
{
	for (unsigned way = 0; way < LA_LEAF_WAYS; way++)
		if (*set->ways[way].stamp != set->ways[way].stamp_was)
			return way;
	return trail->last_stamp % LA_LEAF_WAYS;
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
	struct la_leaf_set *set = la_trail_leaves(state, top->registers);
	unsigned way = choose_way(trail, set);
	struct la_leaf *leaf = &set->ways[way];

	if (own > LA_LEAF_WORDS) {
		base = top;
		shared = top->words - top->words % LA_WORDS_TOGETHER;
		own = top->words - shared;
	}
	set->tags[way] = la_trail_tag(top->registers);
	set->last = way;
	leaf->pc = top->registers.pc;
	leaf->sp = top->registers.sp;
	leaf->fp = top->registers.fp;
	leaf->fp_mask = top->needs_fp ? UINTPTR_MAX : 0;
	leaf->stamp = &trail->stamps[base - trail->steps];
	leaf->stamp_was = *leaf->stamp;
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
	uint32_t node, site = 0;

	if (!trail)
		return la_sites_heap(untracked_node());
	if (la_likely(follow(state, trail, registers, &fresh)))
		site = la_trail_site(state, trail);
	if (la_unlikely(!site)) {
		node = give_up(state, trail, registers);
		site = node ? la_sites_heap(node) : 0;
	}
	end(trail);
	if (site && !state->spare && only_words_matter(state, trail))
		remember(state, trail, fresh, site);
	return site;
}
