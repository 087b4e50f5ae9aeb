/*
 * The `verify` option, for those who work on the agent: every stack that was
 * captured the fast way is walked once more with libunwind's own cursor, and
 * compared frame by frame.
 *
 * What is compared: the frames that a snapshot would show, that is their
 * addresses, the objects that the loader has there at the time, and whether the
 * stack was complete. What it takes from the fast way is only what is the
 * agent's own (such frames are hidden) and what belongs to no file ([jit]).
 */
#ifndef LA_VERIFY_H
#define LA_VERIFY_H

#include "agent/arch.h"
#include "agent/visibility.h"

#include <stdbool.h>
#include <stdint.h>

/* Constant once tracking has begun. */
extern LA_HIDDEN bool la_verify_wanted;

/* Before tracking begins, once libunwind is there: 0 or -errno. */
int la_verify_boot(void);

/*
 * Compares the stack from `registers` outwards with what it was captured as: a
 * node of sites.h (0: not at all). To be called by functions further in. None of
 * the agent's locks may be held. Takes about a microsecond a frame.
 */
void la_verify(struct la_registers registers, uint32_t node);

struct la_verified {
	uint64_t stacks;    /* compared */
	uint64_t different; /* of these */
};

/* Any thread. */
struct la_verified la_verify_result(void);

/*
 * Describes one of the first differences, counted from 0, in a line; false when
 * there is none of that number. On the agent's thread.
 */
bool la_verify_describe(unsigned number, char *text, unsigned size);

#endif
