/* See trail_steps.h. */

#include "agent/trail_steps.h"

#include "agent/stack.h"
#include "agent/unwind.h"

/* Steps once more out of a frame that is in the trail, and compares. */
static bool steps_alike(const struct la_state *state, const struct step *step)
{
	struct la_registers registers = step->registers;
	enum la_step went =
		la_unwind_step(&step->place.rule, &registers,
			       la_stack_limit(state, registers.sp));

	return went != LA_STEP_END && went != LA_STEP_LOST &&
	       la_step_same_way(step - 1, &registers);
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

/* From the leaf outwards, each word is where unwinding would read it now. */
bool la_trail_unchanged(const struct la_state *state,
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

/* The outermost frame has no caller to have read: see ends_alike. */
static void begin_steps(const struct la_trail *trail, struct step *step)
{
	la_way before = trail->outcome == TRAIL_WHOLE ? LA_WAY_WHOLE :
							LA_WAY_TRUNCATED;

	step->needs_fp = uses_fp(&step->place.rule);
	step->special = 0;
	step->words = 0;
	step->has_place = step->place.id != 0;
	step->shown = step->has_place;
	step->way = step->has_place ? la_way_on(before, step->place.id) : before;
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
	step->has_place = la_step_shown(step->place.id, caller->place.id);
	step->shown = (uint16_t)(caller->shown + step->has_place);
	step->way = la_likely(step->has_place) ?
			    la_way_on(caller->way, step->place.id) :
			    caller->way;
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

void la_trail_extend(struct la_trail *trail, unsigned fresh)
{
	struct step *step = &trail->steps[trail->count];
	const struct step *from = &trail->steps[TRAIL_FRAMES - fresh];

	/* Their words are overwritten, by however many steps that takes. */
	while (trail->stamped > trail->count)
		trail->stamps[--trail->stamped] = 0;
	trail->count += fresh;
	trail->stamped = trail->count;
	for (; fresh > 0; fresh--, step++, from++) {
		step->registers = from->registers;
		step->place = from->place;
		step->elsewhere = from->elsewhere;
		trail->stamps[step - trail->steps] = ++trail->last_stamp;
		step->node = 0;
		if (la_likely(step > trail->steps))
			describe(trail, step);
		else
			begin_steps(trail, step);
	}
}
