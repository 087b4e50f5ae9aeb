/* See trigger.h. */

#include "agent/trigger.h"

#include "agent/apart.h"
#include "agent/control.h"
#include "agent/destination.h"
#include "agent/dump.h"
#include "agent/filter.h"
#include "agent/format/control_page.h"
#include "agent/heap.h"
#include "agent/notice.h"
#include "agent/process.h"
#include "agent/request.h"
#include "agent/store.h"
#include "agent/tracker.h"
#include "agent/worker.h"

#include <errno.h>
#include <limits.h>

static const struct la_options *options;
static uint32_t posted; /* enum la_post bits */

void la_trigger_post(enum la_post post)
{
	__atomic_or_fetch(&posted, post, __ATOMIC_SEQ_CST);
	la_worker_wake();
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

/* From here on others find the agent. */
static void open_page(void)
{
	uint32_t *page_wake;

	page_wake = la_control_open(options);
	if (page_wake)
		la_worker_wake_by(page_wake);
}

static void set_timers(void)
{
	uint64_t now = la_clock_monotonic();

	timer_due = options->interval ? now + options->interval : UINT64_MAX;
	start_due = la_mode_now() == LA_MODE_OFF && options->start ?
			    now + options->start :
			    UINT64_MAX;
}

static void prepare(void)
{
	apart = la_apart_begin();
	if (apart)
		la_store_open();
}

static void begin(void)
{
	if (apart)
		open_page();
	else if (!la_process.forked)
		la_notice("%s: no snapshots: close_range and unshare are both "
			  "refused here, and the agent must not use the "
			  "program's own descriptors: allow one of them",
			  la_process.command);
	set_timers();
}

static uint64_t serve(void)
{
	la_request_serve(dump);
	serve_posts();
	serve_timers(la_clock_monotonic());
	serve_control();
	return timer_due < start_due ? timer_due : start_due;
}

static void end(void)
{
	la_request_serve(dump);
}

int la_trigger_start(const struct la_options *from)
{
	static const struct la_work work = {
		.prepare = prepare,
		.begin = begin,
		.serve = serve,
		.end = end,
	};

	options = from;
	return la_worker_start(&work);
}

void la_trigger_after_fork(void)
{
	posted = 0;
	la_request_after_fork();
	la_worker_after_fork();
	la_control_after_fork();
}
