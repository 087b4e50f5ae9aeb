/*
 * What frames are in the source: symbolised on first use, each distinct
 * address once, unless the snapshot brought its own symbols.
 */
#ifndef DIFF_SOURCE_H
#define DIFF_SOURCE_H

#include "diff/stacks.h"

/*
 * The source frames of a frame, innermost first; there is at least one, whose
 * function is NULL when nothing is known. Strings are interned in `stacks`:
 * equal ones have equal pointers. The result lives as long as `stacks`.
 */
const struct source_frame *source_of(struct stacks *stacks,
				     struct symbolizer *symbolizer,
				     uint32_t frame, uint32_t *count);

#endif
