/*
 * The agent's locks, all of them in one table so that fork can take them in
 * order and the child can start with them free.
 *
 * Rank = place in the table: a thread that holds a lock takes only later ones.
 * No lock is held while anything outside the agent is called, but for
 * LA_LOCK_LEARN, held across libunwind, which takes nothing of the host's, and
 * LA_LOCK_LOADER, held across dl_iterate_phdr, whose own lock is not waited for.
 *
 * A lock knows its owner: a signal handler that interrupts its thread inside
 * the agent can tell that it must not wait for that lock.
 */
#ifndef LA_LOCK_H
#define LA_LOCK_H

#include <stdbool.h>
#include <stdint.h>

enum { LA_HEAP_SHARDS = 256 };

enum la_lock_rank {
	LA_LOCK_SPARE,   /* state.c: the state of threads without one */
	LA_LOCK_LOADER,  /* modules.c: reading the loader's list */
	LA_LOCK_LEARN,   /* unwind.c: the libunwind probe and its stack */
	LA_LOCK_FRAMES,  /* frames.c */
	LA_LOCK_NODES,   /* sites.c: the stack tree and the sites */
	LA_LOCK_ESTIMATES, /* estimates.c */
	LA_LOCK_MODULES, /* modules.c */
	LA_LOCK_MAPS,    /* maps.c: mappings */
	LA_LOCK_THREADS, /* threads.c: the host's threads */
	LA_LOCK_HEAP,    /* heap.c: one for each shard */
	LA_LOCK_STATES = LA_LOCK_HEAP + LA_HEAP_SHARDS, /* state.c */
	LA_LOCK_REQUESTS,                               /* request.c */
	LA_LOCK_MEMORY,                                 /* memory.c */
	LA_LOCKS
};

void la_lock(unsigned rank);
void la_unlock(unsigned rank);

/* Of the heap's: takes it unless that would take longer than a moment. */
bool la_lock_briefly(unsigned rank);

/*
 * Between these, the calling thread gets no signals; pairs may nest. All locks
 * but the heap's are held so: a handler may stop its thread for as long as it
 * likes, or never return to where it came from, and other threads may want
 * those locks in system calls' wrappers, which work at any time.
 */
void la_calm_begin(void);
void la_calm_end(void);

/*
 * Once it is quiet (quiet.h), no more signals are blocked: waits for those
 * threads that have theirs blocked to unblock them.
 */
void la_calm_await_none(void);

/* Whether the calling thread holds it; or any, which takes microseconds. */
bool la_lock_held(unsigned rank);
bool la_lock_any_held(void);

/*
 * Prepares for processes that were copied without the handlers of
 * pthread_atfork (raw clone): there, owners of locks do not exist. `orphaned` is
 * called when a thread finds out; all locks but its own are free afterwards.
 */
void la_lock_boot(void (*orphaned)(void));

/*
 * For fork: takes every lock that the calling thread does not hold already (a
 * handler may fork while its thread is inside the agent), and gives back those
 * that it took. In the child the calling thread has another id.
 */
void la_lock_all(void);
void la_unlock_all(void);
void la_lock_after_fork(void);

#endif
