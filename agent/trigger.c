/* See trigger.h. */

#define _GNU_SOURCE

#include "agent/trigger.h"

#include "agent/apart.h"
#include "agent/control.h"
#include "agent/dump.h"
#include "agent/filter.h"
#include "agent/destination.h"
#include "agent/format/control_page.h"
#include "agent/heap.h"
#include "agent/lock.h"
#include "agent/lone.h"
#include "agent/memory.h"
#include "agent/notice.h"
#include "agent/process.h"
#include "agent/quiet.h"
#include "agent/real.h"
#include "agent/state.h"
#include "agent/store.h"
#include "agent/system.h"
#include "agent/tracker.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

enum { STACK_BYTES = 512 * 1024 };

enum { REASON_BYTES = 300, LOOK_EVERY_S = 1, SETTLE_S = 3 };

/* While it is quiet: how often the thread looks, and how long it is awaited. */
#define LOOK_EVERY_NS UINT64_C(20000000)
#define PATIENCE_NS UINT64_C(20000000000)
#define WAY_OUT_NS UINT64_C(50000000)

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

static const struct la_options *options;
static uint32_t running;
static uint32_t settled; /* futex: it has opened its folder */
static bool begun; /* in this process; it may have ended since */
static uint32_t posted; /* enum la_post bits */
static struct request *requests;
/* One is always there, however little memory is. */
static struct request first_request;
static struct request *unused_requests = &first_request; /* LA_LOCK_REQUESTS */
static int thread_id; /* the agent's thread, 0 = it has not begun yet */
static uint32_t ending, ended; /* it is to end; it is about to */

/* Before the control page is there, the thread sleeps on this word. */
static uint32_t early_wake;
static uint32_t *wake_word = &early_wake;

static void wake(void)
{
	uint32_t *word = __atomic_load_n(&wake_word, __ATOMIC_SEQ_CST);

	__atomic_add_fetch(word, 1, __ATOMIC_SEQ_CST);
	if (!la_quiet_now())
		la_sys_futex_wake(word, 1);
}

void la_trigger_quieten(void)
{
	uint32_t *word = __atomic_load_n(&wake_word, __ATOMIC_SEQ_CST);

	__atomic_add_fetch(word, 1, __ATOMIC_SEQ_CST);
	la_sys_futex_wake(word, 1);
}

void la_trigger_post(enum la_post post)
{
	__atomic_or_fetch(&posted, post, __ATOMIC_SEQ_CST);
	wake();
}

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

/* The thread may have been ended, by a filter of system calls say. */
static bool thread_lives(void)
{
	int thread = __atomic_load_n(&thread_id, __ATOMIC_ACQUIRE);

	return !thread || la_sys_thread_lives(la_process.pid, thread);
}

/* Until *word is set, without a system call. */
static bool wait_quietly(const uint32_t *word, uint64_t patience)
{
	uint64_t end = la_clock_monotonic() + patience;

	while (!__atomic_load_n(word, __ATOMIC_ACQUIRE)) {
		if (la_clock_monotonic() > end)
			return false;
		la_arch_pause();
	}
	return true;
}

void la_trigger_settle(void)
{
	static const struct timespec look_every = { .tv_sec = LOOK_EVERY_S };
	int host_errno = errno;

	/* Not for ever: its folder may be on a file system that hangs. */
	for (int i = 0; i < SETTLE_S && begun && thread_lives() &&
			!__atomic_load_n(&settled, __ATOMIC_ACQUIRE);
	     i++)
		la_sys_futex_wait(&settled, 0, &look_every);
	errno = host_errno;
}

static int wait_for(struct request *request)
{
	static const struct timespec look_every = { .tv_sec = LOOK_EVERY_S };
	int result;

	if (la_quiet_now() && !wait_quietly(&request->done, PATIENCE_NS))
		return -ETIMEDOUT;
	while (!__atomic_load_n(&request->done, __ATOMIC_ACQUIRE)) {
		/* A signal handler has forked meanwhile. */
		if (request->process != la_process.pid)
			break;
		if (!thread_lives()) {
			__atomic_store_n(&running, 0, __ATOMIC_RELEASE);
			return -ESRCH;
		}
		la_sys_futex_wait(&request->done, 0, &look_every);
		/* Calls that wake may have been refused. */
		if (!__atomic_load_n(&request->done, __ATOMIC_ACQUIRE))
			wake();
	}
	result = request->process == la_process.pid ? request->result : -EAGAIN;
	free_request(request);
	return result;
}

int la_trigger_snapshot(const char *reason)
{
	const struct la_state *state = la_state_of_thread;
	struct request *request;

	/* The snapshot would wait for what this thread was interrupted in. */
	if (state && la_state_inside_tracker(state))
		return -EDEADLK;
	if (!__atomic_load_n(&running, __ATOMIC_ACQUIRE) ||
	    la_process_is_another())
		return -ESRCH;
	request = new_request(reason);
	if (!request)
		return -ENOMEM;
	request->next = __atomic_load_n(&requests, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&requests, &request->next, request,
					    false, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED))
		;
	wake();
	return wait_for(request);
}

/* As soon as there is somebody to say it to. Children inherit that it was. */
static void say_once(const char *problem)
{
	static bool said;

	if (said)
		return;
	said = la_notice_late("%s (pid %d): no snapshot in %s: %s; the program "
			      "goes on, later ones will be tried; this is said "
			      "once, `leakagent status %d` tells more",
			      la_process.command, la_process.pid,
			      la_destination_path(), problem, la_process.pid);
}

static bool apart; /* its descriptors are its own */

static int dump(const char *reason)
{
	static char path[PATH_MAX];
	int error = apart ? la_dump(reason, path) : -EPERM;
	const char *problem = error ? la_dump_problem(error) : NULL;

	/* Said at the start; to say more would take descriptors. */
	if (!apart)
		return error;

	la_control_report(problem, problem ? NULL : path);
	if (problem)
		say_once(problem);
	return error;
}

static void serve_requests(void)
{
	struct request *request =
		__atomic_exchange_n(&requests, NULL, __ATOMIC_SEQ_CST);

	while (request) {
		/* Once it is done, it may be another's. */
		struct request *next = request->next;

		request->result = dump(request->reason);
		__atomic_store_n(&request->done, 1, __ATOMIC_RELEASE);
		la_sys_futex_wake(&request->done, 1);
		request = next;
	}
}

static void serve_posts(void)
{
	uint32_t posts = __atomic_exchange_n(&posted, 0, __ATOMIC_SEQ_CST);

	if (posts & LA_POST_SIGNAL)
		dump("signal");
	if (posts & LA_POST_GROWTH)
		dump("growth");
	if (posts & LA_POST_FILTER)
		la_filter_grow(la_heap_walk_shard);
}

static int obey(uint32_t verb)
{
	switch (verb) {
	case LA_VERB_SNAPSHOT:
		return dump("request");
	case LA_VERB_ON:
		la_tracker_set_mode(LA_MODE_ON);
		return 0;
	case LA_VERB_OFF:
		la_tracker_set_mode(LA_MODE_OFF);
		return 0;
	case LA_VERB_STATUS:
		return 0;
	default:
		return -EINVAL;
	}
}

static void serve_control(void)
{
	uint32_t verb = la_control_pending();

	if (verb != LA_VERB_NONE)
		la_control_answer(obey(verb));
}

/* The next time that something is to be done unasked, or UINT64_MAX. */
static uint64_t timer_due, start_due;

static void serve_timers(uint64_t now)
{
	if (now >= start_due) {
		start_due = UINT64_MAX;
		la_tracker_set_mode(LA_MODE_ON);
	}
	if (now >= timer_due) {
		dump("timer");
		/* Times that were missed are not made up for. */
		timer_due += (la_clock_monotonic() - timer_due) /
				     options->interval * options->interval +
			     options->interval;
	}
}

static void wait_for_work(uint32_t seen)
{
	uint64_t now = la_clock_monotonic();
	uint64_t due = timer_due < start_due ? timer_due : start_due;

	if (la_quiet_now() && due > now + LOOK_EVERY_NS)
		due = now + LOOK_EVERY_NS;
	uint64_t left = due > now ? due - now : 0;
	struct timespec timeout = {
		.tv_sec = (time_t)(left / 1000000000),
		.tv_nsec = (long)(left % 1000000000),
	};

	la_sys_futex_wait(wake_word, seen,
			  due == UINT64_MAX ? NULL : &timeout);
}

/* From here on others find the agent. */
static void open_page(void)
{
	uint32_t *page_wake;

	page_wake = la_control_open(options);
	if (page_wake)
		__atomic_store_n(&wake_word, page_wake, __ATOMIC_SEQ_CST);
}

static void set_timers(void)
{
	uint64_t now = la_clock_monotonic();

	timer_due = options->interval ? now + options->interval : UINT64_MAX;
	start_due = la_mode_now() == LA_MODE_OFF && options->start ?
			    now + options->start :
			    UINT64_MAX;
}

static void *run(void *argument)
{
	struct la_state *state = la_state_get();

	(void)argument;
	la_arch_plain_floats();
	if (state)
		state->own = 1;
	__atomic_store_n(&thread_id, la_sys_gettid(), __ATOMIC_RELEASE);
	prctl(PR_SET_NAME, "leakagent");
	apart = la_apart_begin();
	if (apart)
		la_store_open();
	__atomic_store_n(&settled, 1, __ATOMIC_RELEASE);
	la_sys_futex_wake(&settled, INT_MAX);
	if (apart)
		open_page();
	else if (!la_process.forked)
		la_notice("%s: no snapshots: close_range and unshare are both "
			  "refused here, and the agent must not use the "
			  "program's own descriptors: allow one of them",
			  la_process.command);
	set_timers();
	while (!__atomic_load_n(&ending, __ATOMIC_ACQUIRE)) {
		uint32_t seen = __atomic_load_n(wake_word, __ATOMIC_SEQ_CST);

		serve_requests();
		serve_posts();
		serve_timers(la_clock_monotonic());
		serve_control();
		wait_for_work(seen);
	}
	serve_requests();
	la_lone_take_in();
	__atomic_store_n(&ended, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Private to glibc; NULL where it has none. */
static size_t (*least_stack)(const pthread_attr_t *);

void la_trigger_boot(void)
{
	void *symbol = dlsym(RTLD_DEFAULT, "__pthread_get_minstack");

	memcpy(&least_stack, &symbol, sizeof(symbol));
	la_real_forget_error();
}

/*
 * What libc itself takes of a thread's stack: static thread-local storage, of
 * whatever size the host's is. As Rust's runtime and OpenJDK ask for it.
 */
static size_t stack_overhead(const pthread_attr_t *attributes)
{
	return least_stack ? least_stack(attributes) : 0;
}

static int start_thread(void)
{
	pthread_attr_t attributes;
	sigset_t everything;
	pthread_t thread;
	int error;

	sigfillset(&everything);
	error = pthread_attr_init(&attributes);
	if (error)
		return -error;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes,
				  STACK_BYTES + stack_overhead(&attributes));
	pthread_attr_setsigmask_np(&attributes, &everything);
	error = la_real.pthread_create(&thread, &attributes, run, NULL);
	pthread_attr_destroy(&attributes);
	if (!error)
		la_lone_leave_out();
	return -error;
}

int la_trigger_start(const struct la_options *from)
{
	struct la_state *state = la_state_get();
	int host_errno = errno, error;

	if (!state)
		return -ENOMEM;
	if (__atomic_exchange_n(&running, 1, __ATOMIC_ACQ_REL))
		return 0;
	options = from;
	thread_id = 0;
	ending = 0;
	ended = 0;
	/* What libc allocates for the thread is not the host's doing. */
	state->own++;
	error = start_thread();
	state->own--;
	if (error)
		__atomic_store_n(&running, 0, __ATOMIC_RELEASE);
	else
		begun = true;
	errno = host_errno;
	return error;
}

bool la_trigger_begun(void)
{
	return begun;
}

void la_trigger_stop(void)
{
	static const struct timespec moment = { .tv_nsec = 1000000 };
	static const uint32_t never;

	if (!__atomic_exchange_n(&running, 0, __ATOMIC_ACQ_REL))
		return;
	__atomic_store_n(&ending, 1, __ATOMIC_RELEASE);
	wake();
	while (!la_quiet_now() && thread_lives())
		la_arch_syscall(SYS_nanosleep, (long)&moment, 0, 0, 0, 0, 0);
	/* libc has still things to do on its behalf. */
	if (la_quiet_now() && wait_quietly(&ended, PATIENCE_NS))
		wait_quietly(&never, WAY_OUT_NS);
	/* Its page stays: others may be about to wake it. */
	__atomic_store_n(&wake_word, &early_wake, __ATOMIC_SEQ_CST);
}

bool la_trigger_pause(void)
{
	const struct la_state *state = la_state_of_thread;

	/* The thread may wait for what this one was interrupted in. */
	if ((state && la_state_inside_tracker(state)) || !la_lone() ||
	    !__atomic_load_n(&running, __ATOMIC_ACQUIRE) ||
	    la_process_is_another())
		return false;
	la_trigger_stop();
	return true;
}

int la_trigger_resume(void)
{
	return la_trigger_start(options);
}

void la_trigger_after_fork(void)
{
	running = 0;
	begun = false;
	settled = 0;
	thread_id = 0;
	posted = 0;
	requests = NULL;
	wake_word = &early_wake;
	la_control_after_fork();
}
