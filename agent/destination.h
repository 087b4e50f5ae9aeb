/*
 * The folder that snapshots go to: which one it is, whether it still is the one
 * of that name, and what is in it. On the agent's thread, whose descriptors,
 * root and working directory are its own.
 */
#ifndef LA_DESTINATION_H
#define LA_DESTINATION_H

#include <stdbool.h>

/*
 * At boot, on a host thread: settles on `wanted` ("" = the working directory),
 * or says that it cannot be written to and settles on `temporary` (or NULL).
 */
void la_destination_choose(const char *wanted, const char *temporary);

/* Its path: whole, without links, and as it was at boot. */
const char *la_destination_path(void);

/*
 * Whether this process has another root directory: then the path leads
 * elsewhere. Of the calling thread: the agent's may have begun before that.
 */
bool la_destination_moved(void);

/*
 * Opens it where that is called for, which *opened tells: at first, and when
 * another folder has its name since. Its descriptor, or -errno.
 */
int la_destination_open(bool *opened);

/* The descriptor of what was opened last, -1 = nothing. */
int la_destination_fd(void);

/* Calls visit for each name in the open folder. */
void la_destination_list(void (*visit)(const char *name, void *argument),
		    void *argument);

/* In a forked child: the descriptor was the parent's agent thread's. */
void la_destination_after_fork(void);

#endif
