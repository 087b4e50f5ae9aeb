/*
 * Snapshots that threads of the host ask for, and wait until they are in place.
 */
#ifndef LA_REQUEST_H
#define LA_REQUEST_H

/*
 * Asks for a snapshot and waits until it is in place. 0 or -errno; -ESRCH where
 * the agent's thread does not run, -EDEADLK in a signal handler that has
 * interrupted the tracker, and -EAGAIN in a child that a handler has forked
 * meanwhile: it was asked of the parent. Any host thread.
 */
int la_request_snapshot(const char *reason);

/* On the agent's thread: what was asked for; `take` returns 0 or -errno. */
void la_request_serve(int (*take)(const char *reason));

/* In a forked child: what the parent was asked for is not done here. */
void la_request_after_fork(void);

#endif
