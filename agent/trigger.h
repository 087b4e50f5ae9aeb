/*
 * The agent's thread: it waits for a reason to take a snapshot, and takes it.
 *
 * It blocks all signals, keeps its own descriptors, root and working directory
 * apart from the host's, and allocates nothing from the host's allocator.
 */
#ifndef LA_TRIGGER_H
#define LA_TRIGGER_H

#include "agent/options.h"

#include <stdbool.h>

/* Looks for what libc has that helps to start the thread. At boot. */
void la_trigger_boot(void);

/* Starts the thread, if it does not run; on a host thread. 0 or -errno. */
int la_trigger_start(const struct la_options *options);

/* Whether it was started in this process, whatever became of it. */
bool la_trigger_begun(void);

/*
 * Waits until the thread, if it was started, has its own root and descriptors
 * and has opened its folder, but no longer than seconds. Any host thread.
 */
void la_trigger_settle(void);

enum la_post {
	LA_POST_SIGNAL = 1,
	LA_POST_GROWTH = 2,
	LA_POST_FILTER = 4 /* filter.h: it is to grow */
};

/* Asks for a snapshot, or that, and returns at once. Any thread, in signal handlers. */
void la_trigger_post(enum la_post post);

/*
 * Asks for a snapshot and waits until it is in place. 0 or -errno; -ESRCH where
 * the thread does not run, -EDEADLK in a signal handler that has interrupted the
 * tracker, and -EAGAIN in a child that a handler has forked meanwhile: it was
 * asked of the parent. Any host thread.
 */
int la_trigger_snapshot(const char *reason);

/*
 * Once it is quiet (quiet.h), nobody can wake the thread: from then on it looks
 * for itself, many times a second.
 */
void la_trigger_quieten(void);

/* Ends the thread, and waits until it has. la_trigger_start may follow. */
void la_trigger_stop(void);

/*
 * The same where the thread runs and the caller is the host's only one, so that
 * the process has one thread; then true, and la_trigger_resume has to follow.
 * Any host thread, also in signal handlers; no errno.
 */
bool la_trigger_pause(void);

/* 0 or -errno: then there is no thread any more. */
int la_trigger_resume(void);

/* In a forked child, where the thread is not. */
void la_trigger_after_fork(void);

#endif
