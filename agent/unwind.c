/* Applying unwind rules, see unwind.h; unwind_learn.c is where they come from. */

#include "agent/unwind.h"

#include "agent/quiet.h"
#include "agent/system.h"

#include <errno.h>

/* How far up the stack a guessed frame may lie, as in libunwind. */
enum { GUESS_REACH = 0x4000 };

static uintptr_t word_at(uintptr_t address)
{
	return *(const uintptr_t *)address;
}

/*
 * The kernel reads the set of signals before it looks at what is to be done with
 * it: -EFAULT where it cannot, and else -EINVAL. Nothing is changed.
 */
bool la_unwind_readable(uintptr_t address, uintptr_t near)
{
	const uintptr_t page = 4096;

	if ((address ^ near) < page)
		return true;
	return !la_quiet_now() &&
	       la_arch_syscall(SYS_rt_sigprocmask, ~0, (long)address, 0,
			       sizeof(la_signal_set), 0, 0) != -EFAULT;
}

/* The same with nothing known. */
static bool can_read(uintptr_t address)
{
	return address % sizeof(uintptr_t) == 0 &&
	       la_unwind_readable(address, ~address);
}

/*
 * Whether the word at `address` lies on the stack, from `low` on. Below that, a
 * word was read; at it, the stack may end.
 */
static bool on_stack(uintptr_t address, uintptr_t low, uintptr_t limit)
{
	if (address < low || address % sizeof(uintptr_t))
		return false;
	return limit ? address + sizeof(uintptr_t) <= limit :
		       la_unwind_readable(address, low - sizeof(uintptr_t));
}

static enum la_step arrive(struct la_registers *registers, uintptr_t pc,
			   uintptr_t sp, uintptr_t fp)
{
	if (!pc)
		return LA_STEP_END;
	registers->pc = pc - 1;
	registers->sp = sp;
	registers->fp = fp;
	return LA_STEP_CALLER;
}

/* What libunwind does where there is no unwind information. */
static enum la_step step_guess(struct la_registers *registers, uintptr_t limit)
{
	uintptr_t fp = registers->fp;

	if (!fp)
		return LA_STEP_END;
	if (fp < registers->sp || fp - registers->sp > GUESS_REACH ||
	    !on_stack(fp, registers->sp, limit) ||
	    !on_stack(fp + sizeof(uintptr_t), registers->sp, limit))
		return LA_STEP_LOST;
	return arrive(registers, word_at(fp + sizeof(uintptr_t)),
		      fp + 2 * sizeof(uintptr_t), word_at(fp));
}

static enum la_step step_signal(const struct la_rule *rule,
				struct la_registers *registers, uintptr_t limit)
{
	uintptr_t sp = registers->sp;

	if (!on_stack(sp + (uintptr_t)(intptr_t)rule->cfa, sp, limit) ||
	    !on_stack(sp + (uintptr_t)(intptr_t)rule->slot, sp, limit) ||
	    !on_stack(sp + (uintptr_t)(intptr_t)rule->fp, sp, limit))
		return LA_STEP_LOST;
	registers->pc = word_at(sp + (uintptr_t)(intptr_t)rule->cfa);
	registers->sp = word_at(sp + (uintptr_t)(intptr_t)rule->slot);
	if (rule->fp_rule == LA_FP_SAVED)
		registers->fp = word_at(sp + (uintptr_t)(intptr_t)rule->fp);
	return registers->pc ? LA_STEP_INTERRUPTED : LA_STEP_END;
}

/* The caller's frame is not on this stack: on another one, or nowhere. */
static enum la_step __attribute__((noinline))
step_elsewhere(const struct la_rule *rule, struct la_registers *registers,
	       uintptr_t cfa, uintptr_t fp_base)
{
	uintptr_t return_slot = cfa + LA_ARCH_RETURN_ADDRESS_OFFSET;
	uintptr_t fp_slot = fp_base + (uintptr_t)(intptr_t)rule->fp;
	uintptr_t fp = registers->fp;

	if (rule->kind == LA_RULE_SP || !can_read(return_slot))
		return LA_STEP_LOST;
	if (rule->fp_rule == LA_FP_SAVED && !can_read(fp_slot))
		return LA_STEP_LOST;
	if (rule->fp_rule != LA_FP_SAME)
		fp = rule->fp_rule == LA_FP_SAVED ? word_at(fp_slot) : 0;
	return arrive(registers, word_at(return_slot), cfa, fp) ==
			       LA_STEP_CALLER ?
		       LA_STEP_ELSEWHERE :
		       LA_STEP_END;
}

static enum la_step step_to_cfa(const struct la_rule *rule,
				struct la_registers *registers, uintptr_t cfa,
				uintptr_t fp_base, uintptr_t limit)
{
	uintptr_t return_slot = cfa + LA_ARCH_RETURN_ADDRESS_OFFSET;
	uintptr_t fp = registers->fp;

	/* A caller's frame lies above its callee's on the same stack. */
	if (la_unlikely(!on_stack(return_slot, registers->sp, limit)))
		return step_elsewhere(rule, registers, cfa, fp_base);
	if (rule->fp_rule == LA_FP_SAVED) {
		uintptr_t slot = fp_base + (uintptr_t)(intptr_t)rule->fp;

		if (la_unlikely(!on_stack(slot,
					  registers->sp - LA_ARCH_RED_ZONE,
					  limit)))
			return LA_STEP_LOST;
		fp = word_at(slot);
	} else if (rule->fp_rule == LA_FP_LOST) {
		fp = 0;
	}
	return arrive(registers, word_at(return_slot), cfa, fp);
}

enum la_step la_unwind_step(const struct la_rule *rule,
			    struct la_registers *registers, uintptr_t limit)
{
	uintptr_t offset = (uintptr_t)(intptr_t)rule->cfa;
	uintptr_t cfa, slot;

	switch (rule->kind) {
	case LA_RULE_SP:
		cfa = registers->sp + offset;
		return step_to_cfa(rule, registers, cfa, cfa, limit);
	case LA_RULE_FP:
		cfa = registers->fp + offset;
		return step_to_cfa(rule, registers, cfa, cfa, limit);
	case LA_RULE_FP_SLOT:
		slot = registers->fp + (uintptr_t)(intptr_t)rule->slot;
		if (!on_stack(slot, registers->sp, limit))
			return LA_STEP_LOST;
		cfa = word_at(slot) + offset;
		return step_to_cfa(rule, registers, cfa, registers->fp, limit);
	case LA_RULE_SIGNAL:
		return step_signal(rule, registers, limit);
	case LA_RULE_GUESS:
		return step_guess(registers, limit);
	case LA_RULE_END:
		return LA_STEP_END;
	default:
		return LA_STEP_LOST;
	}
}
