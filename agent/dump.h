/*
 * From counts to a file: takes a snapshot and stores it. On the agent's thread.
 */
#ifndef LA_DUMP_H
#define LA_DUMP_H

#include "agent/options.h"

#include <limits.h>

/* Once, before the first. */
void la_dump_boot(const struct la_options *options);

/*
 * Writes a snapshot for `reason` (LA_COMMENT_REASON) and its path to `path`;
 * 0 or -errno.
 */
int la_dump(const char *reason, char path[PATH_MAX]);

/* What -errno of la_dump means, in words. */
const char *la_dump_problem(int error);

#endif
