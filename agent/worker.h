/*
 * The agent's thread: its start and end, its sleep, and who wakes it. What it
 * does while it is awake is told from above (trigger.c).
 *
 * It blocks all signals, and allocates nothing from the host's allocator.
 */
#ifndef LA_WORKER_H
#define LA_WORKER_H

#include <stdbool.h>
#include <stdint.h>

/* What the thread does, all of it on the thread. */
struct la_work {
	void (*prepare)(void); /* what la_worker_settle waits for */
	void (*begin)(void);
	/*
	 * Whenever it is woken, and at the time that the last one returned: in
	 * la_clock_monotonic's ns, UINT64_MAX = only when it is woken.
	 */
	uint64_t (*serve)(void);
	void (*end)(void);
};

/* Looks for what libc has that helps to start the thread. At boot. */
void la_worker_boot(void);

/*
 * Starts the thread, if it does not run and it is not confined (quiet.h); on a
 * host thread. The work stays the caller's, as long as the process. 0 or -errno.
 */
int la_worker_start(const struct la_work *work);

/* Whether it was started in this process, whatever became of it. */
bool la_worker_begun(void);

/* Whether it has been started here, and not been stopped. Any host thread. */
bool la_worker_runs(void);

/*
 * Whether it is still there, as far as the kernel knows: a filter of system
 * calls, say, may have ended it. Then it does not run any more.
 */
bool la_worker_check(void);

/*
 * Waits until the thread, if it was started, has prepared its work, but no
 * longer than seconds. Any host thread.
 */
void la_worker_settle(void);

/* Any thread, in signal handlers. */
void la_worker_wake(void);

/* On the thread: who wakes it changes this word from now on. */
void la_worker_wake_by(uint32_t *word);

/*
 * Once it is quiet (quiet.h), nobody can wake the thread: from then on it looks
 * for itself, many times a second.
 */
void la_worker_quieten(void);

/*
 * While it is quiet: waits until the thread has set *word, without a system
 * call. False if it takes too long.
 */
bool la_worker_await(const uint32_t *word);

/* Ends the thread, and waits until it has. la_worker_start may follow. */
void la_worker_stop(void);

/*
 * The same where the thread runs and the caller is the host's only one, so that
 * the process has one thread; then true, and la_worker_start may follow.
 * Any host thread, also in signal handlers; no errno.
 */
bool la_worker_pause(void);

/* In a forked child, where the thread is not. */
void la_worker_after_fork(void);

#endif
