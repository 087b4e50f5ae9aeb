/*
 * A loaded snapshot as the comparison needs it: which process, when, its
 * totals, and a list of (stack, values). Strings and stacks are those of the
 * `struct stacks` it was added to, which outlives it.
 */
#ifndef DIFF_SNAPSHOT_H
#define DIFF_SNAPSHOT_H

#include "diff/stacks.h"

#define SNAPSHOT_UNKNOWN INT64_C(-1)

/* Unknown texts are "", unknown numbers SNAPSHOT_UNKNOWN. */
struct process {
	const char *command;
	const char *program;  /* name of the executable's file */
	const char *build_id; /* of the executable */
	const char *host;
	const char *start; /* RFC 3339 */
	int64_t pid;
};

struct snapshot_entry {
	uint32_t stack; /* each stack occurs once */
	int64_t values[LA_SAMPLE_TYPES];
	double variances[LA_SAMPLE_TYPES]; /* see estimate.h */
};

struct snapshot {
	const char *path;
	struct process process;
	int64_t time_ns;  /* 0 if unknown; by a clock that may be set */
	int64_t age_ns;   /* of the process; 0 if unknown */
	int64_t sequence; /* within the process */
	int64_t period;
	int64_t rss_bytes, rss_anon_bytes; /* resident memory */
	int64_t agent_bytes;               /* of it, the agent's own */
	int64_t agent_limit_bytes;         /* what it may use */
	int64_t drops;                     /* events it could not record */
	int64_t sample_bytes;    /* asked for; 0 = exact */
	int64_t coarsened_bytes; /* since its memory limit was reached */
	int64_t different_stacks; /* captured wrongly, where it was verified */
	const char *reason, *tracking;
	const char *heap; /* not-tracked, or empty */
	bool has[LA_SAMPLE_TYPES];
	bool has_errors; /* of estimates: how far off they may be is known */
	int64_t totals[KINDS][LA_SAMPLE_TYPES];
	struct snapshot_entry *entries;
	size_t entry_count;
};

/* Takes what it needs; the profile may be freed afterwards. */
void snapshot_build(struct snapshot *snapshot, const char *path,
		    const struct profile *profile, struct stacks *stacks);

/* Are its heap figures estimates? */
bool snapshot_is_sampled(const struct snapshot *snapshot);

/* All kinds together. */
int64_t snapshot_total(const struct snapshot *snapshot,
		       enum la_sample_type type);

bool snapshot_same_process(const struct snapshot *a, const struct snapshot *b);

/* The time from one to the other; 0 or less if unknown. */
int64_t snapshot_elapsed_ns(const struct snapshot *before,
			    const struct snapshot *after);

void snapshot_free(struct snapshot *snapshot);

#endif
