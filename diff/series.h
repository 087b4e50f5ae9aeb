/*
 * From the command line's files and folders to series: the snapshots of one
 * process, oldest first. Two files are always one series, whichever processes
 * they come from; more files, or a folder, are grouped by process.
 */
#ifndef DIFF_SERIES_H
#define DIFF_SERIES_H

#include "diff/snapshot.h"

struct series {
	struct snapshot **snapshots;
	size_t count;
};

struct series_set {
	struct snapshot *snapshots; /* all of them, as given */
	size_t snapshot_count;
	struct series *series; /* by the time of their first snapshot */
	size_t count;
	bool grouped; /* by process; else one series as asked for */
};

struct series_options {
	bool as_given; /* keep the order of the arguments, not that of time */
	bool force;    /* compare different programs */
};

/*
 * `arguments` are files and folders; of a folder, everything that is called
 * like a snapshot. Returns 0, or -1 with the first fault found.
 */
int series_load(struct series_set *set, char *const *arguments, size_t count,
		const struct series_options *options, struct stacks *stacks,
		struct error *error);

void series_free(struct series_set *set);

#endif
