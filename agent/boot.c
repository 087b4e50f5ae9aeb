/*
 * See boot.h. The phases: tracking begins with the first allocation of a
 * library's constructor, or else in ours; __libc_start_main calls
 * la_boot_main(), and the agent's thread begins; last of all at-exit handlers
 * comes at_exit().
 *
 * Not earlier: loading libunwind initialises what it depends on, and libc must
 * be given the program's arguments and environment for that by the loader.
 */

#define _GNU_SOURCE /* __libc_stack_end */

#include "agent/boot.h"

#include "agent/cgroup.h"
#include "agent/checkers.h"
#include "agent/dump.h"
#include "agent/early.h"
#include "agent/filter.h"
#include "agent/fork.h"
#include "agent/frames.h"
#include "agent/growth.h"
#include "agent/lock.h"
#include "agent/lone.h"
#include "agent/memory.h"
#include "agent/modules.h"
#include "agent/notice.h"
#include "agent/options.h"
#include "agent/process.h"
#include "agent/quiet.h"
#include "agent/real.h"
#include "agent/request.h"
#include "agent/sampler.h"
#include "agent/signals.h"
#include "agent/sites.h"
#include "agent/stack.h"
#include "agent/state.h"
#include "agent/store.h"
#include "agent/tracker.h"
#include "agent/trigger.h"
#include "agent/unwind.h"
#include "agent/verify.h"
#include "agent/visibility.h"
#include "agent/worker.h"
#include "agent/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <unistd.h>

/* A child that execs so soon after fork only launches another program. */
#define LAUNCHER_NS UINT64_C(1000000000)

/* The main thread's stack is taken to reach at least so far down. */
#define MAIN_STACK_BYTES (UINT64_C(64) << 20)

static struct la_options options;
static bool begun;  /* boot() was called; there is no second time */
static bool active; /* this program is tracked, or will be */
static const char *checker; /* the tool that it belongs to instead, or NULL */

/* glibc's, exported by its loader: the stack pointer that main began with. */
extern void *__libc_stack_end;
/* Registers without tying the handler to when an object is finalised. */
extern int __cxa_atexit(void (*handler)(void *), void *argument, void *object);
extern int __cxa_at_quick_exit(void (*handler)(void *), void *object);

static int learn_main_stack(void)
{
	struct la_state *state = la_state_get();
	struct rlimit limit;
	uintptr_t size = MAIN_STACK_BYTES;

	if (!state)
		return -ENOMEM;
	if (!getrlimit(RLIMIT_STACK, &limit) &&
	    limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur > size)
		size = limit.rlim_cur;
	state->stack_high = (uintptr_t)__libc_stack_end;
	state->stack_low = state->stack_high - size;
	return 0;
}

/*
 * Programs that insist on having one thread, such as Chromium's zygote, have
 * their own malloc too. The agent sees little of those and is in no hurry: it
 * waits for them to become threaded themselves.
 */
static bool alone;

bool la_boot_declined;
bool la_boot_waits;

void la_boot_fork(const void *frame)
{
	if (active)
		la_fork_prepare(frame);
}

void la_boot_forked(void)
{
	if (active)
		la_fork_abandon();
}

/* Every hook looks whether it is time, not only those that are careful. */
static void wait_for_allocator(void)
{
	la_boot_waits = true;
	la_tracker_be_careful();
}

static void start_thread(void)
{
	if (la_boot_waits) {
		la_boot_waits = false;
		la_tracker_set_mode(la_mode_now());
	}
	la_trigger_start(&options);
}

void la_boot_look(struct la_state *state, const void *frame)
{
	if (!la_fork_inside_allocator(state, frame))
		start_thread();
}

/*
 * Where the agent's thread still waits for something, it does so no longer; but
 * in children of programs that insist on having one.
 */
static void hurry(const void *frame)
{
	struct la_state *state = la_boot_waits ? la_state_get() : NULL;

	if (state)
		la_boot_look(state, frame);
	else if (!la_worker_begun() && !la_confined_now() &&
		 !(alone && la_process.forked))
		start_thread();
}

void la_boot_restart(const void *frame)
{
	wait_for_allocator();
	hurry(frame);
}

static int snapshot(const char *reason, const void *frame)
{
	int result;

	if (la_process_is_another())
		return -ESRCH;
	do {
		hurry(frame);
		result = la_request_snapshot(reason);
	} while (result == -EAGAIN);
	return result;
}

/* In a forked child, whose tables are its own by now. */
static void forked(bool inside_allocator)
{
	/* The new thread would be filtered, too, and so would these calls. */
	if (la_confined_now())
		active = false;
	if (active)
		la_process_after_fork();
	if (!options.children)
		active = false;
	if (!active)
		la_tracker_set_mode(LA_MODE_PASSIVE);
	else if (inside_allocator)
		wait_for_allocator();
	else if (!alone)
		start_thread();
}

static void at_exit(void *unused)
{
	(void)unused;
	if (active && options.exit != LA_EXIT_OFF)
		snapshot("exit", __builtin_frame_address(0));
}

static void at_quick_end(void *unused)
{
	(void)unused;
	la_boot_exit_now();
}

/* The name that the program was started by, which may be a link's. */
static const char *started_as(void)
{
	const char *path = (const char *)getauxval(AT_EXECFN);
	const char *slash = path ? strrchr(path, '/') : NULL;

	if (!path)
		return la_process.command;
	return slash ? slash + 1 : path;
}

static bool wanted(void)
{
	return (la_options_admit(&options, la_process.command) ||
		la_options_admit(&options, started_as())) &&
	       (options.children || !la_process_has_tracked_parent());
}

static uint64_t memory_limit(void)
{
	const struct la_amount *amount = &options.memory;
	uint64_t bytes = amount->bytes;

	if (amount->percent)
		bytes = la_cgroup_memory() / 100 * amount->percent;
	return bytes && bytes < LA_LEAST_MEMORY ? LA_LEAST_MEMORY : bytes;
}

/* What tracking needs, in order. */
static int begin_tracking(void)
{
	int error = la_unwind_boot();

	la_memory_boot(memory_limit());
	la_sampler_boot(options.sample, options.seed);
	if (!error)
		error = la_frames_boot();
	if (!error)
		error = la_sites_boot();
	if (!error && !la_memory_reserve(LA_WRITER_BYTES))
		error = -ENOMEM;
	if (!error)
		error = la_state_boot();
	if (!error && options.verify)
		error = la_verify_boot();
	if (error)
		return error;
	la_modules_refresh();
	la_real_locate();
	la_worker_boot();
	la_stack_set_depth((unsigned)options.depth);
	error = learn_main_stack();
	if (!error)
		error = la_fork_boot(forked);
	return error;
}

static const char *variable(char **environment, const char *assignment)
{
	size_t length = strlen(assignment);

	for (; environment && *environment; environment++)
		if (!strncmp(*environment, assignment, length))
			return *environment + length;
	return NULL;
}

static void filter_is_crowded(void)
{
	la_trigger_post(LA_POST_FILTER);
}

static void grew(void)
{
	la_trigger_post(LA_POST_GROWTH);
}

/* A copy of the process that was made past fork: its tables may be halves. */
static void orphaned(void)
{
	la_tracker_set_mode(LA_MODE_PASSIVE);
	active = false;
}

static void record_early(const struct la_early_block *early)
{
	struct la_state *state = la_state_get();

	if (state)
		la_track_early(state, early);
}

static void activate(void)
{
	active = true;
	la_dump_boot(&options);
	/* Without it, frees only cost more. */
	if (options.sample)
		la_filter_boot(filter_is_crowded);
	la_store_choose(&options, variable(environ, "TMPDIR="));
	la_growth_watch(options.growth, grew);
	la_lock_boot(orphaned);
	la_lone_boot();
	/* Registered before the host's handlers, so it runs after them. */
	__cxa_atexit(at_exit, NULL, NULL);
	__cxa_at_quick_exit(at_quick_end, NULL);
	la_signals_install(&options);
	/* From here on, what is allocated is the host's. */
	la_tracker_set_mode(options.start ? LA_MODE_OFF : LA_MODE_ON);
	if (!la_early_visit(record_early))
		la_drop();
}

static void boot(void)
{
	int error;

	la_early_end();
	la_notice_boot();
	la_process_boot();
	la_options_read(&options, environ);
	if (!wanted()) {
		la_boot_declined = true;
		return;
	}
	error = begin_tracking();
	if (!error) {
		activate();
		return;
	}
	la_boot_declined = true;
	la_notice("%s is not tracked: %s", la_process.command,
		  error == -ENOENT ? "libunwind-x86_64.so.8 cannot be loaded: "
				     "install libunwind8" :
				     strerrordesc_np(-error));
}

static void look_around(void)
{
	checker = la_checkers_name();
	if (checker) {
		/* Its runtime replaces much of libc, and may not have begun. */
		la_boot_declined = true;
		return;
	}
	la_modules_boot();
	la_real_locate();
}

/* What is safe at any time. False: the time has not come, or has passed. */
static bool may_boot(uintptr_t caller)
{
	static bool looking, looked;

	if (!la_real_ready())
		return false;
	/* Privileges that the user does not have: nothing of theirs counts. */
	if (getauxval(AT_SECURE)) {
		la_boot_declined = true;
		return false;
	}
	/* To look allocates. */
	if (!looking) {
		looking = true;
		look_around();
		looked = true;
	}
	/* libc has its environment once the loader has initialised it. */
	return environ && looked && !la_boot_declined &&
	       !la_in_range(la_loader_range, caller);
}

static void boot_once(uintptr_t caller)
{
	int host_errno = errno;

	if (may_boot(caller) &&
	    !__atomic_exchange_n(&begun, true, __ATOMIC_ACQ_REL))
		boot();
	errno = host_errno;
}

struct la_state *la_boot_early(const void *frame)
{
	if (!begun && la_real_callable())
		boot_once(la_arch_caller(frame).pc);
	/* What boot itself allocates is let through untracked. */
	return la_mode_now() == LA_MODE_PASSIVE ? NULL : la_state_get();
}

static void __attribute__((constructor)) constructor(void)
{
	if (!begun)
		boot_once(0);
	/* Also in programs that are never tracked. */
	la_early_end();
}

/* The program belongs to another tool. */
static void step_aside(void)
{
	la_process_boot();
	la_options_read(&options, environ);
	if (wanted())
		la_notice("%s is not tracked: %s watches its memory already: "
			  "use one of the two", la_process.command, checker);
}

/* Only the first time: a child has its parent's word for it. */
static void start_trigger(void)
{
	int error = la_trigger_start(&options);

	if (error)
		la_notice("%s: no snapshots: the agent's thread cannot start: "
			  "%s; raise the limits on memory or threads",
			  la_process.command, strerrordesc_np(-error));
}

void la_boot_main(void)
{
	if (checker)
		step_aside();
	alone = la_real_passed_by();
	if (active && !alone && !la_confined_now())
		start_trigger();
}

void la_boot_thread(void)
{
	if (la_unlikely(alone) && active && !la_confined_now()) {
		alone = false;
		la_trigger_start(&options);
	}
}

bool la_boot_tracks(void)
{
	return active;
}

void la_boot_pause(const char *reason)
{
	snapshot(reason, __builtin_frame_address(0));
	la_worker_stop();
	la_tracker_set_mode(LA_MODE_OFF);
}

void la_boot_resume(enum la_mode mode)
{
	la_tracker_set_mode(mode);
	la_trigger_start(&options);
}

void la_boot_end(void)
{
	la_tracker_set_mode(LA_MODE_PASSIVE);
	la_boot_declined = true;
	active = false;
}

void la_boot_exit_now(void)
{
	int host_errno = errno;

	if (active && options.exit == LA_EXIT_ALWAYS)
		snapshot("exit", __builtin_frame_address(0));
	errno = host_errno;
}

void la_boot_move(void)
{
	if (active && !la_quiet_now() && !la_process_is_another())
		la_worker_settle();
}

static bool launcher(void)
{
	return la_process.forked &&
	       la_clock_monotonic() - la_process.start_monotonic_ns <
		       LAUNCHER_NS;
}

/* Shells try every folder of PATH. */
static bool is_missing(const char *path)
{
	long error;

	if (!path || la_confined_now())
		return false;
	error = la_arch_syscall(SYS_faccessat, AT_FDCWD, (long)path, F_OK, 0, 0,
				0);
	return error == -ENOENT || error == -ENOTDIR;
}

void la_boot_exec(const char *path)
{
	int host_errno = errno;

	if (active && options.exit != LA_EXIT_OFF && !la_process_is_another() &&
	    !launcher() && !is_missing(path))
		snapshot("exec", __builtin_frame_address(0));
	errno = host_errno;
}

LA_EXPORT int leakagent_snapshot(const char *reason)
{
	char text[256];
	int host_errno = errno, result;

	if (!active)
		return -ESRCH;
	snprintf(text, sizeof(text), "call:%s", reason ? reason : "");
	result = snapshot(text, __builtin_frame_address(0));
	errno = host_errno;
	return result;
}
