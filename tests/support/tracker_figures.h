/*
 * The tracker (tracker.h) without the rest of the agent, and what snapshots of
 * it come to.
 */
#ifndef TESTS_TRACKER_FIGURES_H
#define TESTS_TRACKER_FIGURES_H

#include "agent/frames.h"
#include "agent/modules.h"
#include "agent/snapshot.h"
#include "agent/tracker.h"
#include "agent/unwind.h"

#include "tests/support/agent_check.h"

/* As at the agent's boot; the set-up of a group of tests. */
static inline int boot_tracker(void **unused)
{
	(void)unused;
	if (la_state_boot() || la_unwind_boot() || la_modules_boot() ||
	    la_frames_boot() || la_sites_boot())
		return -1;
	la_tracker_set_mode(LA_MODE_ON);
	return 0;
}

struct figures {
	uint64_t allocated, allocated_bytes, live, live_bytes;
};

static inline struct figures figures(void)
{
	struct figures sum = { 0 };
	struct la_snapshot snapshot;

	assert_int_equal(la_snapshot_take(&snapshot), 0);
	for (uint32_t site = 1; site <= snapshot.sites; site++) {
		sum.allocated += snapshot.allocated[site].objects;
		sum.allocated_bytes += snapshot.allocated[site].bytes;
		sum.live += snapshot.live[site].objects;
		sum.live_bytes += snapshot.live[site].bytes;
	}
	la_snapshot_free(&snapshot);
	return sum;
}

#endif
