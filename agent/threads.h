/*
 * The host's threads that are not released yet: each is one live object under
 * the stack that created it, from when it runs or its creator knows that it does
 * until it was joined, or has ended when nobody is to join it. Any thread.
 */
#ifndef LA_THREADS_H
#define LA_THREADS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct la_host_thread;

/* A record for a thread about to be created, or NULL when memory ran out. */
struct la_host_thread *la_threads_prepare(uint32_t site, bool detached);

/* By the creator, once it knows: creation succeeded, or it did not. */
void la_threads_created(struct la_host_thread *thread, pthread_t id);
void la_threads_cancel(struct la_host_thread *thread);

/* By the thread itself, at its begin and end. */
void la_threads_began(struct la_host_thread *thread, pthread_t id);
void la_threads_ended(struct la_host_thread *thread);

/*
 * The record of a thread that is about to be joined or detached, or NULL; and
 * what became of it. Looked up before, since afterwards a new thread may have
 * the id.
 */
struct la_host_thread *la_threads_find(pthread_t id);
void la_threads_joined(struct la_host_thread *thread);
void la_threads_detached(struct la_host_thread *thread);

void la_threads_walk(void (*visit)(void *argument, uint32_t site),
		     void *argument);

/* In a forked child only the calling thread is left. Locks are held. */
void la_threads_after_fork(void);

#endif
