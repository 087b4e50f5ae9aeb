/*
 * How steadily the rows grew over all snapshots of a series, not just from the
 * oldest to the newest: a leak grows at most steps, a cache or a peak does not.
 */
#ifndef DIFF_TREND_H
#define DIFF_TREND_H

#include "diff/growth.h"

/* Sets growth->steps, and grown_steps of each row. */
void trend_count(struct growth *growth, const struct series *series,
		 enum la_sample_type sample, size_t stack_count);

#endif
