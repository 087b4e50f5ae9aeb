/*
 * Which frame of a stack is responsible: the first one, inlined ones included,
 * that is no wrapper (wrappers.h).
 */
#ifndef DIFF_CALLSITE_H
#define DIFF_CALLSITE_H

#include "diff/source.h"
#include "diff/wrappers.h"

/* Finds callsites and source frames; remembers what it found. */
struct resolver {
	struct stacks *stacks;
	struct symbolizer *symbolizer;
	struct wrappers wrappers;
	uint32_t *first_of; /* by frame: its first source frame that is no
			       wrapper + 1, or one of two marks */
	size_t first_count;
};

/* One source frame of a stack. */
struct place {
	uint32_t position; /* in stack.frames */
	uint32_t source;   /* in the frame's source frames */
};

/* A stack without frames has place 0, 0. */
struct place callsite_of(struct resolver *resolver, const struct stack *stack);

/* Is a source frame, which is in code of this frame, a wrapper? */
bool callsite_passes_over(const struct resolver *resolver, uint32_t frame,
			  const struct source_frame *source);

/* The source frames of a frame: source_of with the resolver's parts. */
const struct source_frame *resolver_source(struct resolver *resolver,
					   uint32_t frame, uint32_t *count);

/* Name of the file that a frame's code is in, or "". */
const char *resolver_module_name(const struct resolver *resolver,
				 uint32_t frame);

void resolver_free(struct resolver *resolver);

#endif
