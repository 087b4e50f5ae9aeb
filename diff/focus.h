/*
 * --focus and --ignore: which stacks take part, by a pattern that any frame's
 * function, file or module matches.
 */
#ifndef DIFF_FOCUS_H
#define DIFF_FOCUS_H

#include "diff/callsite.h"

#include <regex.h>

struct focus {
	regex_t focus, ignore;
	bool has_focus, has_ignore;
	uint8_t *seen; /* by frame: what is known of it; made on first use,
			  when all snapshots have been loaded */
};

/* Patterns are extended regular expressions or NULL. Returns 0 or -1. */
int focus_compile(struct focus *focus, const char *focus_pattern,
		  const char *ignore_pattern, struct error *error);

bool focus_accepts(struct focus *focus, struct resolver *resolver,
		   const struct stack *stack);

void focus_free(struct focus *focus);

#endif
