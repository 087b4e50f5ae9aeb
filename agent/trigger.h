/*
 * What the agent's thread (worker.h) does: it waits for a reason to take a
 * snapshot, and takes it. Reasons are the timer, what is posted, requests
 * (request.h) and commands from outside (control.h).
 *
 * It keeps its own descriptors, root and working directory apart from the
 * host's.
 */
#ifndef LA_TRIGGER_H
#define LA_TRIGGER_H

#include "agent/options.h"

/*
 * Starts the thread, if it does not run; on a host thread. The options stay the
 * caller's, as long as the process. 0 or -errno. la_worker_settle waits until it
 * has its own root and descriptors and has opened its folder.
 */
int la_trigger_start(const struct la_options *options);

enum la_post {
	LA_POST_SIGNAL = 1,
	LA_POST_GROWTH = 2,
	LA_POST_FILTER = 4 /* filter.h: it is to grow */
};

/* Asks for a snapshot, or that, and returns at once. Any thread, in signal handlers. */
void la_trigger_post(enum la_post post);

/* In a forked child, where the thread is not: its requests are not, either. */
void la_trigger_after_fork(void);

#endif
