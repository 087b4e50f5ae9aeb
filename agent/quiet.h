/*
 * Whether the agent has to make do with the system calls of any allocator: a
 * filter of the program's would end it for others. Then
 *   its locks are not waited for but tried again, and its signals not blocked
 *   while they are held: a handler that leaves one by longjmp leaves it taken;
 *   nothing is asked of the kernel but memory.
 * The agent's own thread, if it is left, works on as before.
 *
 * Most filters leave the hooks' own calls alone, but not those of a new thread of
 * the agent's: it is confined then. None is begun any more, in children neither.
 */
#ifndef LA_QUIET_H
#define LA_QUIET_H

#include "agent/system.h"
#include "agent/visibility.h"

#include <stdbool.h>
#include <stdint.h>

/* How many filters each is for; counted by filtering.c. */
extern LA_HIDDEN uint32_t la_quiet, la_confined;

static inline bool la_quiet_now(void)
{
	return la_unlikely(__atomic_load_n(&la_quiet, __ATOMIC_SEQ_CST));
}

/* Always when it is quiet. */
static inline bool la_confined_now(void)
{
	return la_unlikely(__atomic_load_n(&la_confined, __ATOMIC_SEQ_CST));
}

#endif
