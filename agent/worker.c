/* See worker.h. */

#define _GNU_SOURCE

#include "agent/worker.h"

#include "agent/lock.h"
#include "agent/lone.h"
#include "agent/process.h"
#include "agent/quiet.h"
#include "agent/real.h"
#include "agent/state.h"
#include "agent/system.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

enum { STACK_BYTES = 512 * 1024, LOOK_EVERY_S = 1, SETTLE_S = 3 };

/* While it is quiet: how often the thread looks, and how long it is awaited. */
#define LOOK_EVERY_NS UINT64_C(20000000)
#define PATIENCE_NS UINT64_C(20000000000)
#define WAY_OUT_NS UINT64_C(50000000)

static const struct la_work *work;
static uint32_t running;
static uint32_t settled; /* futex: its work is prepared */
static bool begun; /* in this process; it may have ended since */
static int thread_id; /* the agent's thread, 0 = it has not begun yet */
static uint32_t ending, ended; /* it is to end; it is about to */

/* Before it is told another one, the thread sleeps on this word. */
static uint32_t early_wake;
static uint32_t *wake_word = &early_wake;

/* ---- awake and asleep ---- */

void la_worker_wake(void)
{
	uint32_t *word = __atomic_load_n(&wake_word, __ATOMIC_SEQ_CST);

	__atomic_add_fetch(word, 1, __ATOMIC_SEQ_CST);
	if (!la_quiet_now())
		la_sys_futex_wake(word, 1);
}

void la_worker_quieten(void)
{
	uint32_t *word = __atomic_load_n(&wake_word, __ATOMIC_SEQ_CST);

	__atomic_add_fetch(word, 1, __ATOMIC_SEQ_CST);
	la_sys_futex_wake(word, 1);
}

void la_worker_wake_by(uint32_t *word)
{
	__atomic_store_n(&wake_word, word, __ATOMIC_SEQ_CST);
}

static void sleep_until(uint64_t due, uint32_t seen)
{
	uint64_t now = la_clock_monotonic();

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

static void *run(void *argument)
{
	struct la_state *state = la_state_get();

	(void)argument;
	la_arch_plain_floats();
	if (state)
		state->own = 1;
	__atomic_store_n(&thread_id, la_sys_gettid(), __ATOMIC_RELEASE);
	prctl(PR_SET_NAME, "leakagent");
	work->prepare();
	__atomic_store_n(&settled, 1, __ATOMIC_RELEASE);
	la_sys_futex_wake(&settled, INT_MAX);
	work->begin();
	while (!__atomic_load_n(&ending, __ATOMIC_ACQUIRE)) {
		uint32_t seen = __atomic_load_n(wake_word, __ATOMIC_SEQ_CST);

		sleep_until(work->serve(), seen);
	}
	work->end();
	la_lone_take_in();
	__atomic_store_n(&ended, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* ---- waiting for it ---- */

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

bool la_worker_await(const uint32_t *word)
{
	return wait_quietly(word, PATIENCE_NS);
}

bool la_worker_begun(void)
{
	return begun;
}

bool la_worker_runs(void)
{
	return __atomic_load_n(&running, __ATOMIC_ACQUIRE) &&
	       !la_process_is_another();
}

bool la_worker_check(void)
{
	bool lives = thread_lives();

	if (!lives)
		__atomic_store_n(&running, 0, __ATOMIC_RELEASE);
	return lives;
}

void la_worker_settle(void)
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

/* ---- start and end ---- */

/* Private to glibc; NULL where it has none. */
static size_t (*least_stack)(const pthread_attr_t *);

void la_worker_boot(void)
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

int la_worker_start(const struct la_work *from)
{
	struct la_state *state = la_state_get();
	int host_errno = errno, error;

	if (!state)
		return -ENOMEM;
	/* A filter that the host's thread has, the new one would have, too. */
	if (la_confined_now())
		return -EPERM;
	if (__atomic_exchange_n(&running, 1, __ATOMIC_ACQ_REL))
		return 0;
	work = from;
	thread_id = 0;
	ending = 0;
	ended = 0;
	/* What libc allocates for the thread is not the host's doing. A handler
	 * might fork, and its child count a thread that it does not have. */
	la_calm_begin();
	state->own++;
	error = start_thread();
	state->own--;
	la_calm_end();
	if (error)
		__atomic_store_n(&running, 0, __ATOMIC_RELEASE);
	else
		begun = true;
	errno = host_errno;
	return error;
}

void la_worker_stop(void)
{
	static const struct timespec moment = { .tv_nsec = 1000000 };
	static const uint32_t never;

	if (!__atomic_exchange_n(&running, 0, __ATOMIC_ACQ_REL))
		return;
	__atomic_store_n(&ending, 1, __ATOMIC_RELEASE);
	la_worker_wake();
	while (!la_quiet_now() && thread_lives())
		la_arch_syscall(SYS_nanosleep, (long)&moment, 0, 0, 0, 0, 0);
	/* libc has still things to do on its behalf. */
	if (la_quiet_now() && la_worker_await(&ended))
		wait_quietly(&never, WAY_OUT_NS);
	/* Its page stays: others may be about to wake it. */
	la_worker_wake_by(&early_wake);
}

bool la_worker_pause(void)
{
	const struct la_state *state = la_state_of_thread;

	/* The thread may wait for what this one was interrupted in. */
	if ((state && la_state_inside_tracker(state)) ||
	    la_lock_held(LA_LOCK_LOADER) || !la_lone() ||
	    !la_worker_runs())
		return false;
	la_worker_stop();
	return true;
}

void la_worker_after_fork(void)
{
	running = 0;
	begun = false;
	settled = 0;
	thread_id = 0;
	wake_word = &early_wake;
}
