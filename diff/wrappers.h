/*
 * The list of functions that allocate for others: malloc's relatives, the
 * wrappers that projects put around it, and library code that only hands
 * memory on. The callsite is the first frame that is none of these.
 * conf/leakdiff-wrappers.conf describes the format and where lists are found.
 */
#ifndef DIFF_WRAPPERS_H
#define DIFF_WRAPPERS_H

#include "diff/error.h"

#include <stdbool.h>
#include <stddef.h>

struct wrappers {
	struct wrapper_pattern *patterns;
	size_t count, capacity;
	bool has_exceptions; /* some line starts with `!` */
};

/*
 * Reads the list that comes with leakdiff, then the user's own, then `extra`
 * (or NULL). Returns 0, or -1 when `extra` or the user's own cannot be read or
 * has a line that makes no sense.
 */
int wrappers_load(struct wrappers *wrappers, const char *extra,
		  struct error *error);

/* Adds the lines of a text; `name` is what errors call it. */
int wrappers_parse(struct wrappers *wrappers, const char *name,
		   const char *text, struct error *error);

/*
 * Is this function, or this whole module, to be passed over? `function` is a
 * simplified name (function_name.h) or NULL, `module` a file name or "".
 */
bool wrappers_match(const struct wrappers *wrappers, const char *function,
		    const char *module);

void wrappers_free(struct wrappers *wrappers);

#endif
