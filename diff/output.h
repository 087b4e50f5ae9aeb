/*
 * Where a report goes: standard output, or a file that appears whole or not at
 * all.
 */
#ifndef DIFF_OUTPUT_H
#define DIFF_OUTPUT_H

#include "diff/error.h"

#include <stdio.h>

struct output {
	FILE *stream;
	const char *path; /* NULL = standard output */
	char *target;     /* what the temporary replaces; NULL = none */
	char *temporary;
};

/* `path` may be NULL. Returns 0 or -1. */
int output_open(struct output *output, const char *path, struct error *error);

/*
 * Ends it: 0 when everything has been written and a file is in its place, -1
 * when not, and then no file is left behind. When the reader of a pipe has
 * gone, as `head` does, the error is "": it wants no more from us.
 */
int output_close(struct output *output, struct error *error);

#endif
