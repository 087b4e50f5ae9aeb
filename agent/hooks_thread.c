/*
 * Threads: who created them, until they are joined or, detached, have ended.
 */

#define _GNU_SOURCE /* pthread_*_np */

#include "agent/hook.h"
#include "agent/lock.h"
#include "agent/memory.h"
#include "agent/threads.h"

#include <errno.h>
#include <pthread.h>
#include <threads.h>

/*
 * The records are only touched inside the tracker, see tracker.h; not at all by
 * a signal handler that has interrupted it.
 */
#define RECORDING(statement)                                                   \
	do {                                                                   \
		struct la_state *tracking_ = la_state_get();                   \
                                                                               \
		if (!tracking_ || la_state_inside_tracker(tracking_))          \
			break;                                                 \
		la_calm_begin();                                               \
		la_tracker_begin(tracking_);                                   \
		statement;                                                     \
		la_tracker_end(tracking_);                                     \
		la_calm_end();                                                 \
	} while (0)

/* What a new thread is to run; from a list of its own, like all agent memory. */
struct launch {
	struct la_host_thread *record;
	void *(*routine)(void *);
	thrd_start_t c11_routine; /* one of the two */
	void *argument;
	size_t stack_size;
	struct launch *next_unused;
};

static struct launch *unused_launches;

static struct launch *new_launch(void)
{
	struct launch *launch;

	la_lock(LA_LOCK_THREADS);
	launch = unused_launches;
	if (launch)
		unused_launches = launch->next_unused;
	else
		launch = la_memory_keep(sizeof(*launch));
	la_unlock(LA_LOCK_THREADS);
	return launch;
}

static void free_launch(struct launch *launch)
{
	la_lock(LA_LOCK_THREADS);
	launch->next_unused = unused_launches;
	unused_launches = launch;
	la_unlock(LA_LOCK_THREADS);
}

static void ended(void *record)
{
	RECORDING(la_threads_ended(record));
}

/* A thread's descriptor lies at the upper end of its stack (glibc, musl). */
static void learn_stack(size_t stack_size)
{
	struct la_state *state = la_state_get();

	if (!state)
		return;
	state->stack_high = (uintptr_t)pthread_self();
	state->stack_low = state->stack_high - stack_size;
}

static struct launch take_launch(void *argument)
{
	struct launch launch = *(struct launch *)argument;

	learn_stack(launch.stack_size);
	RECORDING({
		free_launch(argument);
		la_threads_began(launch.record, pthread_self());
	});
	return launch;
}

static void *start_thread(void *argument)
{
	struct launch launch = take_launch(argument);
	void *result;

	/* Also runs on pthread_exit and cancellation. */
	pthread_cleanup_push(ended, launch.record);
	result = launch.routine(launch.argument);
	pthread_cleanup_pop(1);
	return result;
}

static int start_c11_thread(void *argument)
{
	struct launch launch = take_launch(argument);
	int result;

	pthread_cleanup_push(ended, launch.record);
	result = launch.c11_routine(launch.argument);
	pthread_cleanup_pop(1);
	return result;
}

/* What the thread will have, asked for or by default. */
static size_t stack_size_of(const pthread_attr_t *attributes)
{
	pthread_attr_t standard;
	size_t size = 0;

	if (attributes) {
		pthread_attr_getstacksize(attributes, &size);
		return size;
	}
	if (!pthread_getattr_default_np(&standard)) {
		pthread_attr_getstacksize(&standard, &size);
		pthread_attr_destroy(&standard);
	}
	return size;
}

/* The launch of a thread that is to be recorded, or NULL. */
static struct launch *prepare(const pthread_attr_t *attributes,
			      const void *frame)
{
	struct la_state *state = la_hook_enter(frame);
	int detach_state = PTHREAD_CREATE_JOINABLE;
	struct la_host_thread *record;
	struct launch *launch = NULL;
	size_t stack_size;

	la_boot_thread();
	if (!state)
		return NULL;
	if (attributes)
		pthread_attr_getdetachstate(attributes, &detach_state);
	stack_size = stack_size_of(attributes);
	record = la_track_thread(state, stack_size,
				 detach_state == PTHREAD_CREATE_DETACHED,
				 frame);
	if (!record)
		return NULL;
	RECORDING(launch = new_launch());
	if (!launch) {
		RECORDING(la_threads_cancel(record));
		la_drop();
		return NULL;
	}
	*launch = (struct launch){ .record = record,
				   .stack_size = stack_size };
	return launch;
}

static void finish(struct la_host_thread *record, struct launch *launch,
		   bool created, pthread_t id)
{
	if (created)
		RECORDING(la_threads_created(record, id));
	else
		RECORDING({
			la_threads_cancel(record);
			free_launch(launch);
		});
}

LA_EXPORT int pthread_create(pthread_t *thread,
			     const pthread_attr_t *attributes,
			     void *(*routine)(void *), void *argument)
{
	struct launch *launch = prepare(attributes, LA_FRAME);
	struct la_host_thread *record;
	int error;

	if (!launch)
		return la_real_ready() ? la_real.pthread_create(thread,
								attributes,
								routine,
								argument) :
					 EAGAIN;
	launch->routine = routine;
	launch->argument = argument;
	record = launch->record;
	error = la_real.pthread_create(thread, attributes, start_thread,
				       launch);
	finish(record, launch, !error, error ? 0 : *thread);
	return error;
}

LA_EXPORT int thrd_create(thrd_t *thread, thrd_start_t routine, void *argument)
{
	struct launch *launch;
	struct la_host_thread *record;
	int result;

	if (!la_real_ready() || !la_real.thrd_create)
		return thrd_error;
	launch = prepare(NULL, LA_FRAME);
	if (!launch)
		return la_real.thrd_create(thread, routine, argument);
	launch->c11_routine = routine;
	launch->argument = argument;
	record = launch->record;
	result = la_real.thrd_create(thread, start_c11_thread, launch);
	finish(record, launch, result == thrd_success,
	       result == thrd_success ? *thread : 0);
	return result;
}

/* Looked up before the call: afterwards, another thread may have the id. */
static struct la_host_thread *find_record(pthread_t id)
{
	struct la_host_thread *record = NULL;

	if (la_mode_now() != LA_MODE_PASSIVE)
		RECORDING(record = la_threads_find(id));
	return record;
}

static int joined(struct la_host_thread *record, int result)
{
	if (record && !result)
		RECORDING(la_threads_joined(record));
	return result;
}

static int detached(struct la_host_thread *record, int result)
{
	if (record && !result)
		RECORDING(la_threads_detached(record));
	return result;
}

_Static_assert(thrd_success == 0, "success is 0 in both worlds");

LA_EXPORT int pthread_join(pthread_t thread, void **result)
{
	struct la_host_thread *record = find_record(thread);

	return joined(record, la_real.pthread_join(thread, result));
}

LA_EXPORT int pthread_tryjoin_np(pthread_t thread, void **result)
{
	struct la_host_thread *record = find_record(thread);

	return joined(record, la_real.pthread_tryjoin_np(thread, result));
}

LA_EXPORT int pthread_timedjoin_np(pthread_t thread, void **result,
				   const struct timespec *until)
{
	struct la_host_thread *record = find_record(thread);

	return joined(record,
		      la_real.pthread_timedjoin_np(thread, result, until));
}

LA_EXPORT int pthread_clockjoin_np(pthread_t thread, void **result,
				   clockid_t clock,
				   const struct timespec *until)
{
	struct la_host_thread *record = find_record(thread);

	return joined(record, la_real.pthread_clockjoin_np(thread, result,
							   clock, until));
}

LA_EXPORT int thrd_join(thrd_t thread, int *result)
{
	struct la_host_thread *record = find_record(thread);

	return joined(record, la_real.thrd_join(thread, result));
}

LA_EXPORT int pthread_detach(pthread_t thread)
{
	struct la_host_thread *record = find_record(thread);

	return detached(record, la_real.pthread_detach(thread));
}

LA_EXPORT int thrd_detach(thrd_t thread)
{
	struct la_host_thread *record = find_record(thread);

	return detached(record, la_real.thrd_detach(thread));
}
