/*
 * How to get from one frame to its caller: the unwind rule of an address.
 *
 * A rule is learnt once for an address, with libunwind's help, and then applied
 * to any number of stacks without it. To learn one, libunwind steps out of a
 * made-up frame whose registers and memory hold marked values; where those
 * marks turn up afterwards tells what the unwind information says. So only
 * libunwind's public interface is relied on, and nothing is read from the
 * host's stack while learning.
 */
#ifndef LA_UNWIND_H
#define LA_UNWIND_H

#include "agent/arch.h"
#include "agent/modules.h"

#include <stdbool.h>
#include <stdint.h>

enum la_rule_kind {
	LA_RULE_GUESS, /* no unwind information: try the frame pointer */
	LA_RULE_END,   /* outermost frame */
	LA_RULE_SP,    /* CFA = sp + cfa */
	LA_RULE_FP,    /* CFA = fp + cfa */
	LA_RULE_FP_SLOT, /* CFA = *(fp + slot) + cfa */
	LA_RULE_SIGNAL,  /* a signal's frame: everything is saved relative to sp */
	LA_RULE_OPAQUE   /* none of the above: unwind_cursor.h finds the way */
};

enum la_fp_rule {
	LA_FP_SAME,  /* the callee left it alone */
	LA_FP_SAVED, /* at fp, relative to the CFA (the sp for SIGNAL) */
	LA_FP_LOST   /* nobody knows */
};

struct la_rule {
	uint8_t kind;    /* enum la_rule_kind */
	uint8_t fp_rule; /* enum la_fp_rule */
	int16_t slot;    /* SIGNAL: where sp is saved */
	int32_t cfa;     /* SIGNAL: where pc is saved */
	int32_t fp;
};

/* Loads libunwind, out of the host's sight. 0 or -errno. */
int la_unwind_boot(void);

/* An address in libunwind: what it maps for itself is not the host's. */
const void *la_unwind_library(void);

/*
 * The rule for code at `address`, which lies in `module`. Any thread, with no
 * lock of the agent's held; takes microseconds. Uses a stack of its own. Calls
 * only libunwind, whose few library calls the hooks let through untracked
 * while the calling thread's state says so.
 */
struct la_rule la_unwind_learn(uintptr_t address,
			       const struct la_module *module);

enum la_step {
	LA_STEP_CALLER, /* registers are the caller's; pc = return address - 1 */
	LA_STEP_ELSEWHERE, /* the same, but the caller is on another stack */
	LA_STEP_INTERRUPTED, /* the same after a signal's frame: pc is exact */
	LA_STEP_END,         /* there is no caller */
	LA_STEP_LOST         /* there is one, but no way to it */
};

/*
 * Whether the word at `address` can be read, given that the one at `near` can:
 * asks the kernel when it lies in another page. Nobody is asked while it is
 * quiet (quiet.h): then that cannot be known, and it is not to be read.
 */
bool la_unwind_readable(uintptr_t address, uintptr_t near);

/*
 * Steps out of a frame whose rule is SP or FP, on a stack whose limit is known;
 * that is, most of them. False where it is not so simple: nothing is changed.
 */
static inline bool la_unwind_step_plainly(const struct la_rule *rule,
					  struct la_registers *registers,
					  uintptr_t limit)
{
	uintptr_t cfa = (rule->kind == LA_RULE_SP ? registers->sp :
						    registers->fp) +
			(uintptr_t)(intptr_t)rule->cfa;
	uintptr_t saved = cfa + (uintptr_t)(intptr_t)rule->fp;
	bool has_saved = rule->fp_rule == LA_FP_SAVED;
	uintptr_t pc;

	if ((rule->kind != LA_RULE_SP && rule->kind != LA_RULE_FP) ||
	    rule->fp_rule == LA_FP_LOST || cfa > limit ||
	    cfa - sizeof(pc) < registers->sp || cfa % sizeof(pc))
		return false;
	if (has_saved && (saved < registers->sp - LA_ARCH_RED_ZONE ||
			  saved + sizeof(pc) > limit || saved % sizeof(pc)))
		return false;
	pc = *(const uintptr_t *)(cfa + LA_ARCH_RETURN_ADDRESS_OFFSET);
	if (!pc)
		return false;
	if (has_saved)
		registers->fp = *(const uintptr_t *)saved;
	registers->pc = pc - 1;
	registers->sp = cfa;
	return true;
}

/*
 * One step outwards. `limit` is the highest address of the stack in use, or 0
 * where unknown: then it is made sure that what is to be read can be. Memory is
 * read between sp (less the red zone) and limit, and outside only after a look
 * whether it is there: functions that change stacks may find their caller's
 * frame through the frame pointer.
 */
enum la_step la_unwind_step(const struct la_rule *rule,
			    struct la_registers *registers, uintptr_t limit);

#endif
