/* See signals.h. */

#define _GNU_SOURCE

#include "agent/signals.h"

#include "agent/process.h"
#include "agent/real.h"
#include "agent/request.h"
#include "agent/state.h"
#include "agent/trigger.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

static int snapshot_signal;

static void ask_for_snapshot(int signal)
{
	(void)signal;
	la_trigger_post(LA_POST_SIGNAL);
}

static void die_of(int signal)
{
	struct sigaction standard = { .sa_handler = SIG_DFL };

	la_real.sigaction(signal, &standard, NULL);
	/* Blocked while its handler runs: it strikes on return. */
	raise(signal);
}

/*
 * What would have ended the process: a snapshot first. The interrupted code may
 * hold the tracker's locks, which the snapshot needs; then it comes back here
 * from the end of the tracker.
 */
static void snapshot_and_die(int signal)
{
	struct la_state *state = la_state_of_thread;
	int host_errno = errno;

	if (state && la_state_inside_tracker(state)) {
		state->terminate = (uint32_t)signal;
		return;
	}
	la_request_snapshot("exit");
	die_of(signal);
	errno = host_errno;
}

static struct sigaction actions[NSIG];

const struct sigaction *la_signals_action(int signal)
{
	return signal > 0 && signal < NSIG && actions[signal].sa_handler ?
		       &actions[signal] :
		       NULL;
}

bool la_signals_ours(void (*handler)(int))
{
	return handler == ask_for_snapshot || handler == snapshot_and_die;
}

static void install(int signal, void (*handler)(int), int flags)
{
	struct sigaction now;

	if (la_real.sigaction(signal, NULL, &now) || now.sa_handler != SIG_DFL)
		return;
	actions[signal].sa_handler = handler;
	actions[signal].sa_flags = SA_RESTART | SA_ONSTACK | flags;
	la_real.sigaction(signal, &actions[signal], NULL);
}

void la_signals_install(const struct la_options *options)
{
	static const int deadly[] = { SIGTERM, SIGINT, SIGHUP };
	int host_errno = errno;

	snapshot_signal = options->signal;
	if (snapshot_signal)
		/* Not blocked by its handler: else it would look taken. */
		install(snapshot_signal, ask_for_snapshot, SA_NODEFER);
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		if (options->exit == LA_EXIT_ALWAYS &&
		    deadly[i] != snapshot_signal)
			install(deadly[i], snapshot_and_die, 0);
	errno = host_errno;
}

/*
 * Threads block everything for moments, while libc creates a thread say: only
 * what is so twice is meant.
 */
static bool blocked_for_good(void)
{
	struct timespec moment = { .tv_nsec = 2000000 };

	if (!la_process_blocks(snapshot_signal))
		return false;
	nanosleep(&moment, NULL);
	return la_process_blocks(snapshot_signal);
}

enum la_signal_state la_signals_state(void)
{
	struct sigaction now;

	if (!snapshot_signal)
		return LA_SIGNAL_OFF;
	if (la_real.sigaction(snapshot_signal, NULL, &now) ||
	    now.sa_handler != ask_for_snapshot ||
	    blocked_for_good())
		return LA_SIGNAL_TAKEN_BY_HOST;
	return LA_SIGNAL_OURS;
}
