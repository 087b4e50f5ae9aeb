/*
 * Which ways lead to a row: its stacks, seen from the callsite outwards. What
 * lies between the callsite and the allocator makes no difference here.
 */
#ifndef DIFF_PATHS_H
#define DIFF_PATHS_H

#include "diff/report.h"

struct path {
	uint32_t stack;    /* one that goes this way */
	struct place from; /* where in it the path starts; see paths_frames */
	int64_t change;    /* of all stacks that go this way */
};

/*
 * The paths of a row, what changed most first. *change is the sum of those
 * that grew. The caller frees the list.
 */
struct path *paths_of_row(const struct report *report,
			  const struct growth *growth, const struct row *row,
			  size_t *count, int64_t *change);

/* Do they start with the callsite, because the row does not name it? */
bool paths_have_callsite(const struct report *report);

/*
 * A path's frames, "handle server.c:88": from the callsite's caller (or the
 * callsite itself, where the row does not name it) to main or what is nearest.
 * *count is how many there are; the list has the first of them, at most `most`.
 * The caller frees each and the list.
 */
char **paths_frames(const struct report *report, const struct path *path,
		    size_t most, size_t *count);

#endif
