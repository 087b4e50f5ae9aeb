/* See threads.h. */

#include "agent/threads.h"

#include "agent/lock.h"
#include "agent/memory.h"
#include "agent/sites.h"

#include <stddef.h>

struct la_host_thread {
	pthread_t id;
	uint32_t site;
	bool named;    /* id was set, by whichever came first */
	bool known;    /* id is its own still */
	bool creating; /* the creator still refers to the record */
	bool counted;  /* it is known to exist */
	bool released;
	bool detached;
	bool ended;
	struct la_host_thread *next, **link; /* link: what points here */
};

/* All under LA_LOCK_THREADS. */
static struct la_host_thread *live, *unused;

static void put(struct la_host_thread *thread, struct la_host_thread **list)
{
	thread->next = *list;
	thread->link = list;
	if (thread->next)
		thread->next->link = &thread->next;
	*list = thread;
}

static void take_out(struct la_host_thread *thread)
{
	*thread->link = thread->next;
	if (thread->next)
		thread->next->link = thread->link;
}

static void release(struct la_host_thread *thread)
{
	if (thread->released)
		return;
	thread->released = true;
	take_out(thread);
	if (!thread->creating)
		put(thread, &unused);
}

struct la_host_thread *la_threads_prepare(uint32_t site, bool detached)
{
	struct la_host_thread *thread;

	la_lock(LA_LOCK_THREADS);
	thread = unused;
	if (thread) {
		take_out(thread);
	} else {
		thread = la_memory_keep(sizeof(*thread));
	}
	if (thread) {
		*thread = (struct la_host_thread){ .site = site,
						   .creating = true,
						   .detached = detached };
		put(thread, &live);
	}
	la_unlock(LA_LOCK_THREADS);
	return thread;
}

/* The creator lets go of the record. */
static void created(struct la_host_thread *thread)
{
	thread->creating = false;
	if (thread->released)
		put(thread, &unused);
}

void la_threads_cancel(struct la_host_thread *thread)
{
	la_lock(LA_LOCK_THREADS);
	created(thread);
	release(thread);
	la_unlock(LA_LOCK_THREADS);
}

static bool has_id(const struct la_host_thread *thread, pthread_t id)
{
	return thread->known && pthread_equal(thread->id, id);
}

/*
 * A thread gets an id that was another's as soon as that one was joined, which
 * may be before the one who joined it has said so here.
 */
static void set_id(struct la_host_thread *thread, pthread_t id)
{
	if (thread->named)
		return;
	for (struct la_host_thread *other = live; other; other = other->next)
		if (has_id(other, id))
			other->known = false;
	thread->id = id;
	thread->named = true;
	thread->known = true;
}

/* What is live is among what was ever created, in every snapshot. */
static void count(struct la_host_thread *thread)
{
	if (!thread->counted)
		la_sites_count(thread->site, 1, 0);
	thread->counted = true;
}

void la_threads_created(struct la_host_thread *thread, pthread_t id)
{
	la_lock(LA_LOCK_THREADS);
	count(thread);
	if (!thread->released)
		set_id(thread, id);
	created(thread);
	la_unlock(LA_LOCK_THREADS);
}

void la_threads_began(struct la_host_thread *thread, pthread_t id)
{
	la_lock(LA_LOCK_THREADS);
	count(thread);
	set_id(thread, id);
	la_unlock(LA_LOCK_THREADS);
}

void la_threads_ended(struct la_host_thread *thread)
{
	la_lock(LA_LOCK_THREADS);
	thread->ended = true;
	if (thread->detached)
		release(thread);
	la_unlock(LA_LOCK_THREADS);
}

struct la_host_thread *la_threads_find(pthread_t id)
{
	struct la_host_thread *thread;

	la_lock(LA_LOCK_THREADS);
	for (thread = live; thread && !has_id(thread, id);)
		thread = thread->next;
	la_unlock(LA_LOCK_THREADS);
	return thread;
}

void la_threads_joined(struct la_host_thread *thread)
{
	la_lock(LA_LOCK_THREADS);
	release(thread);
	la_unlock(LA_LOCK_THREADS);
}

void la_threads_detached(struct la_host_thread *thread)
{
	la_lock(LA_LOCK_THREADS);
	thread->detached = true;
	if (thread->ended)
		release(thread);
	la_unlock(LA_LOCK_THREADS);
}

void la_threads_walk(void (*visit)(void *argument, uint32_t site),
		     void *argument)
{
	la_lock(LA_LOCK_THREADS);
	for (struct la_host_thread *thread = live; thread;
	     thread = thread->next)
		if (thread->counted)
			visit(argument, thread->site);
	la_unlock(LA_LOCK_THREADS);
}

void la_threads_after_fork(void)
{
	struct la_host_thread *thread = live, *next;

	for (; thread; thread = next) {
		next = thread->next;
		thread->creating = false;
		if (!has_id(thread, pthread_self()))
			release(thread);
	}
}
