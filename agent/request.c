/* See request.h. */

#include "agent/request.h"

#include "agent/lock.h"
#include "agent/memory.h"
#include "agent/process.h"
#include "agent/quiet.h"
#include "agent/state.h"
#include "agent/system.h"
#include "agent/worker.h"

#include <errno.h>
#include <stdio.h>

enum { REASON_BYTES = 300, LOOK_EVERY_S = 1 };

/*
 * A host thread that waits for a snapshot. Not on that thread's stack: the
 * thread may leave by longjmp, and then the request stays with the agent.
 */
struct request {
	char reason[REASON_BYTES];
	int process; /* that it was made in */
	int result;
	uint32_t done; /* futex */
	struct request *next;
};

static struct request *requests;
/* One is always there, however little memory is. */
static struct request first_request;
static struct request *unused_requests = &first_request; /* LA_LOCK_REQUESTS */

static struct request *new_request(const char *reason)
{
	struct request *request;

	la_lock(LA_LOCK_REQUESTS);
	request = unused_requests;
	if (request)
		unused_requests = request->next;
	la_unlock(LA_LOCK_REQUESTS);
	if (!request)
		request = la_memory_keep(sizeof(*request));
	if (request) {
		*request = (struct request){ .process = la_process.pid };
		snprintf(request->reason, sizeof(request->reason), "%s",
			 reason);
	}
	return request;
}

static void free_request(struct request *request)
{
	la_lock(LA_LOCK_REQUESTS);
	request->next = unused_requests;
	unused_requests = request;
	la_unlock(LA_LOCK_REQUESTS);
}

static int wait_for(struct request *request)
{
	static const struct timespec look_every = { .tv_sec = LOOK_EVERY_S };
	int result;

	if (la_quiet_now() && !la_worker_await(&request->done))
		return -ETIMEDOUT;
	while (!__atomic_load_n(&request->done, __ATOMIC_ACQUIRE)) {
		/* A signal handler has forked meanwhile. */
		if (request->process != la_process.pid)
			break;
		if (!la_worker_check())
			return -ESRCH;
		la_sys_futex_wait(&request->done, 0, &look_every);
		/* Calls that wake may have been refused. */
		if (!__atomic_load_n(&request->done, __ATOMIC_ACQUIRE))
			la_worker_wake();
	}
	result = request->process == la_process.pid ? request->result : -EAGAIN;
	free_request(request);
	return result;
}

int la_request_snapshot(const char *reason)
{
	const struct la_state *state = la_state_of_thread;
	struct request *request;

	/* The snapshot would wait for what this thread was interrupted in, or
	 * for its fork, of which the host's handlers run (fork.c). */
	if ((state && la_state_inside_tracker(state)) ||
	    la_lock_held(LA_LOCK_LOADER))
		return -EDEADLK;
	if (!la_worker_runs())
		return -ESRCH;
	request = new_request(reason);
	if (!request)
		return -ENOMEM;
	request->next = __atomic_load_n(&requests, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&requests, &request->next, request,
					    false, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED))
		;
	la_worker_wake();
	return wait_for(request);
}

void la_request_serve(int (*take)(const char *reason))
{
	struct request *request =
		__atomic_exchange_n(&requests, NULL, __ATOMIC_SEQ_CST);

	while (request) {
		/* Once it is done, it may be another's. */
		struct request *next = request->next;

		request->result = take(request->reason);
		__atomic_store_n(&request->done, 1, __ATOMIC_RELEASE);
		la_sys_futex_wake(&request->done, 1);
		request = next;
	}
}

void la_request_after_fork(void)
{
	requests = NULL;
}
