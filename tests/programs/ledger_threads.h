/*
 * The ledger's threads: each waits until it is told to end. One counts until
 * its stack is released: when a joinable one is joined or, having ended, is
 * detached; when a detached one ends.
 */
#ifndef LEDGER_THREADS_H
#define LEDGER_THREADS_H

#include "ledger_counts.h"

#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <threads.h>
#include <time.h>

#define THREAD_SLOTS 12

struct thread_slot {
	pthread_mutex_t lock;
	bool used, ended, detached;
	pthread_t thread; /* thrd_t is the same in glibc */
	sem_t started, may_end;
	pid_t tid;
	struct count *owner;
};

static struct thread_slot thread_slots[THREAD_SLOTS];

static void *thread_wait(void *argument)
{
	struct thread_slot *slot = argument;

	slot->tid = (pid_t)syscall(SYS_gettid);
	sem_post(&slot->started);
	while (sem_wait(&slot->may_end))
		;
	return NULL;
}

static int thrd_wait(void *argument)
{
	thread_wait(argument);
	return 0;
}

NOINLINE static void thread_pthread(struct job *job)
{
	struct thread_slot *slot = job->old;

	job->failed = pthread_create(&slot->thread, NULL, thread_wait, slot);
}

NOINLINE static void thread_detached(struct job *job)
{
	struct thread_slot *slot = job->old;
	pthread_attr_t attributes;

	slot->detached = true;
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	job->failed = pthread_create(&slot->thread, &attributes, thread_wait,
				     slot);
	pthread_attr_destroy(&attributes);
}

NOINLINE static void thread_thrd(struct job *job)
{
	struct thread_slot *slot = job->old;

	job->failed = thrd_create(&slot->thread, thrd_wait, slot);
}

static struct site thread_sites[] = { SITE(thread_pthread),
				      SITE(thread_detached),
				      SITE(thread_thrd) };

static inline void thread_init(void)
{
	for (size_t i = 0; i < THREAD_SLOTS; i++)
		pthread_mutex_init(&thread_slots[i].lock, NULL);
}

static inline void thread_start(struct thread_slot *slot,
				struct random *random)
{
	unsigned which = random_below(random, COUNT_OF(thread_sites));
	struct job job = { .old = slot };

	slot->ended = slot->detached = false;
	sem_init(&slot->started, 0, 0);
	sem_init(&slot->may_end, 0, 0);
	slot->owner = call_site(&thread_sites[which], random, &job);
	MUST(!job.failed);
	slot->used = true;
	count_alloc(slot->owner, 0);
	while (sem_wait(&slot->started))
		;
}

/* Returns when the kernel no longer knows the thread. */
static inline void thread_end(struct thread_slot *slot)
{
	sem_post(&slot->may_end);
	while (!syscall(SYS_tgkill, getpid(), slot->tid, 0))
		sched_yield();
	slot->ended = true;
}

static inline int thread_join(struct thread_slot *slot, struct random *random)
{
	struct timespec late;

	clock_gettime(CLOCK_REALTIME, &late);
	late.tv_sec += 1000;
	switch (random_below(random, 5)) {
	case 0:
		return pthread_join(slot->thread, NULL);
	case 1:
		return pthread_tryjoin_np(slot->thread, NULL);
	case 2:
		return pthread_timedjoin_np(slot->thread, NULL, &late);
	case 3:
		return pthread_clockjoin_np(slot->thread, NULL, CLOCK_REALTIME,
					    &late);
	default:
		return thrd_join(slot->thread, NULL);
	}
}

static inline void thread_release(struct thread_slot *slot,
				  struct random *random)
{
	if (random_below(random, 3))
		MUST(!thread_join(slot, random));
	else if (random_below(random, 2))
		MUST(!pthread_detach(slot->thread));
	else
		MUST(!thrd_detach(slot->thread));
	count_free(slot->owner, 0);
	slot->used = false;
}

/* A join of a thread that runs yet changes nothing. */
static inline void thread_fail(struct thread_slot *slot)
{
	MUST(pthread_tryjoin_np(slot->thread, NULL));
}

static inline void thread_operate(struct random *random)
{
	struct thread_slot *slot =
		&thread_slots[random_below(random, THREAD_SLOTS)];
	unsigned choice = random_below(random, 4);

	pthread_mutex_lock(&slot->lock);
	if (!slot->used) {
		thread_start(slot, random);
	} else if (slot->ended) {
		thread_release(slot, random);
	} else if (slot->detached) {
		thread_end(slot);
		count_free(slot->owner, 0);
		slot->used = false;
	} else if (choice == 0) {
		thread_fail(slot);
	} else if (choice == 1) {
		MUST(!pthread_detach(slot->thread));
		slot->detached = true;
	} else {
		thread_end(slot);
	}
	pthread_mutex_unlock(&slot->lock);
}

/* After fork, in the child: none of the threads came along. */
static inline void thread_forget(void)
{
	for (size_t i = 0; i < THREAD_SLOTS; i++) {
		if (thread_slots[i].used)
			count_free(thread_slots[i].owner, 0);
		thread_slots[i].used = false;
	}
}

static inline void thread_print(const char **separator)
{
	print_sites("thread", thread_sites, COUNT_OF(thread_sites), separator);
}

#endif
