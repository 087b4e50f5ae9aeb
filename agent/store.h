/*
 * The folder that snapshots go to: names, whole files or none, retention. On
 * the agent's thread, whose descriptors, root and working directory are its
 * own.
 */
#ifndef LA_STORE_H
#define LA_STORE_H

#include "agent/options.h"

#include <limits.h>
#include <stdint.h>

/*
 * At boot, on a host thread: settles which folder it is to be, and says so when
 * it is not the one that was asked for. `temporary` is $TMPDIR, or NULL.
 */
void la_store_choose(const struct la_options *options, const char *temporary);

/* Opens it and removes what dead writers left there; 0 or -errno. */
int la_store_open(void);

struct la_store_file {
	int fd;
	uint64_t utc_ns;
	uint64_t taken_ns; /* by the monotonic clock */
	uint32_t sequence;
	char temporary[NAME_MAX + 1]; /* "": it has no name yet */
};

/* A new file, to be written to file->fd; 0 or -errno. */
int la_store_begin(struct la_store_file *file, uint64_t utc_ns);

/*
 * Gives it its name and writes the path there, closes it, and makes room as
 * `keep` and `dir_limit` ask; or forgets it. 0 or -errno.
 */
int la_store_commit(struct la_store_file *file, char path[PATH_MAX]);
void la_store_abandon(struct la_store_file *file);

/* In a forked child: a new series begins. */
void la_store_after_fork(void);

#endif
