/*
 * What the agent does about a filter of system calls that the program installs.
 * On the thread that does so; errno is kept.
 */
#ifndef LA_FILTERING_H
#define LA_FILTERING_H

#include "agent/state.h"

#include <linux/filter.h>
#include <stdbool.h>

struct la_filtering {
	bool confined, quiet; /* it is, also for this filter */
	bool ends;  /* so does the agent, unless the filter is refused */
	enum la_mode mode; /* of tracking before */
};

/*
 * Before: `filter` may be NULL or nonsense; `strict` is to do without one and
 * allow nothing but to read, write and end; `all` is for all threads.
 */
struct la_filtering la_filtering_begin(const struct sock_fprog *filter,
				       bool strict, bool all);

/* After, with what the former has said. */
void la_filtering_end(struct la_filtering filtering, bool installed);

#endif
