/* See fork.h. */

#include "agent/fork.h"

#include "agent/filter.h"
#include "agent/lock.h"
#include "agent/lone.h"
#include "agent/modules.h"
#include "agent/real.h"
#include "agent/stack.h"
#include "agent/state.h"
#include "agent/store.h"
#include "agent/threads.h"
#include "agent/tracker.h"
#include "agent/trigger.h"

#include <errno.h>
#include <pthread.h>

static void (*on_child)(bool inside_allocator);

/*
 * Around fork all locks are held. Signals that come meanwhile, and handlers of
 * pthread_atfork that were registered before ours, are as if they interrupted
 * the tracker. Only touched with all locks held.
 */
static struct la_state *forking; /* NULL: inside the tracker already */

static void before_fork(void)
{
	struct la_state *state = la_state_get();

	la_calm_begin();
	if (state && la_state_inside_tracker(state))
		state = NULL;
	if (state)
		la_tracker_begin(state);
	la_lock_all();
	forking = state;
}

/* Of the fork that is under way: the host has one thread then. */
static bool lone, inside_allocator, modules_held;

bool la_fork_inside_allocator(const struct la_state *state, const void *frame)
{
	return la_state_inside_tracker(state) || state->allocator_frame ||
	       la_stack_has(state, la_arch_caller(frame), la_real_allocates);
}

void la_fork_prepare(const void *frame)
{
	const struct la_state *state = la_state_get();
	int host_errno = errno;
	bool inside;

	if (!state || !la_lone())
		return;
	inside = la_fork_inside_allocator(state, frame);
	la_calm_begin();
	/* A handler may fork in the middle of another fork. */
	if (!lone) {
		inside_allocator = inside;
		modules_held = la_modules_hold();
		la_lone_begin();
		lone = true;
	}
	la_calm_end();
	errno = host_errno;
}

void la_fork_abandon(void)
{
	if (!lone || !la_lone())
		return;
	lone = false;
	la_lone_end();
	if (modules_held)
		la_modules_release();
}

static void after_fork_in_parent(void)
{
	struct la_state *state = forking;

	la_fork_abandon();
	la_unlock_all();
	if (state)
		la_tracker_end(state);
	la_calm_end();
}

static void after_fork_in_child(void)
{
	struct la_state *state = forking;
	int host_errno = errno;

	la_state_after_fork();
	la_filter_after_fork();
	la_threads_after_fork();
	la_store_after_fork();
	la_trigger_after_fork();
	la_lock_after_fork();
	if (lone && modules_held)
		la_modules_release();
	on_child(lone && inside_allocator);
	lone = false;
	/* What came meanwhile may ask the new thread for a snapshot. */
	if (state)
		la_tracker_end(state);
	la_calm_end();
	errno = host_errno;
}

int la_fork_boot(void (*in_child)(bool inside_allocator))
{
	on_child = in_child;
	return -pthread_atfork(before_fork, after_fork_in_parent,
			       after_fork_in_child);
}
