/*
 * A copy of all counts at one time: exact ones, and estimates of what was
 * sampled.
 */
#ifndef LA_SNAPSHOT_H
#define LA_SNAPSHOT_H

#include "agent/estimates.h"
#include "agent/format/keys.h"
#include "agent/sites.h"

#include <stdint.h>

/* All arrays are by site: 1 .. sites. */
struct la_snapshot {
	struct la_counts *allocated; /* ever */
	struct la_counts *live;
	/* What sampled blocks add to these; NULL where every block is known. */
	struct la_estimate *allocated_estimates;
	struct la_estimate *live_estimates;
	uint32_t sites;
	uint64_t interval; /* the largest that a block was sampled at, 0 = none */
	uint64_t live_bytes, live_objects; /* heap and mmap */
};

/* A site's values by enum la_sample_type, each with its standard error. */
struct la_values {
	int64_t value[LA_SAMPLE_TYPES];
	int64_t error[LA_SAMPLE_TYPES]; /* 0 = exact */
};

/*
 * Fills *snapshot; 0 or -ENOMEM. Host threads go on meanwhile: what they do at
 * the time is in it or not; what was done before is in it. Give it back with
 * la_snapshot_free. On the agent's thread.
 */
int la_snapshot_take(struct la_snapshot *snapshot);
void la_snapshot_free(struct la_snapshot *snapshot);

struct la_values la_snapshot_values(const struct la_snapshot *snapshot,
				    uint32_t site);

#endif
