/*
 * Walking the calling thread's stack with libunwind's own cursor: slow, but
 * with every register and every kind of unwind information. It is what the
 * rules of unwind.h are measured against, and the way through the few frames
 * that they do not describe.
 *
 * Its guess where there is no unwind information is libunwind's, with two
 * differences. libunwind does not tell an end of the stack from a guess that
 * came to nothing: here the latter is LA_WALK_LOST, unless the frame pointer is
 * 0. And the stack pointer that libunwind goes on with after a guess is wrong
 * (1.6.2 adds 16 to the one before, not to the frame pointer): here it is
 * right.
 */
#ifndef LA_UNWIND_CURSOR_H
#define LA_UNWIND_CURSOR_H

#include "agent/arch.h"

#include <stdbool.h>
#include <stdint.h>

enum la_walk_end {
	LA_WALK_STOPPED, /* visit did not want more */
	LA_WALK_END,     /* after the outermost frame */
	LA_WALK_LOST,    /* there is more, but no way to it */
	LA_WALK_ASTRAY   /* `from` was never met */
};

/*
 * Visits the frames of the calling thread from the one that has the registers
 * `from` (a caller of the calling function) outwards. `visit` gets the address
 * to look up, as la_registers have it, and returns false to stop. It runs under
 * LA_LOCK_LEARN, on a stack of the agent's. None of the agent's locks may be
 * held.
 */
enum la_walk_end la_cursor_walk(struct la_registers from,
				bool (*visit)(void *argument, uintptr_t pc),
				void *argument);

/*
 * At boot: lets libunwind remember what it has read of unwind information, for
 * those who walk all the time. 0 or -errno.
 */
int la_cursor_remember(void);

/* Forgets that again. */
void la_cursor_forget(void);

#endif
