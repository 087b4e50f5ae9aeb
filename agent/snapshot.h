/*
 * A copy of all counts at one time.
 */
#ifndef LA_SNAPSHOT_H
#define LA_SNAPSHOT_H

#include "agent/sites.h"

#include <stdint.h>

struct la_row {
	struct la_counts allocated; /* ever */
	struct la_counts live;
};

struct la_snapshot {
	struct la_row *rows; /* by site: 1 .. sites */
	uint32_t sites;
	uint64_t live_bytes, live_objects; /* heap and mmap */
};

/*
 * Fills *snapshot; 0 or -ENOMEM. Host threads go on meanwhile: what they do at
 * the time is in it or not; what was done before is in it. Give it back with
 * la_snapshot_free. On the agent's thread.
 */
int la_snapshot_take(struct la_snapshot *snapshot);
void la_snapshot_free(struct la_snapshot *snapshot);

#endif
