/*
 * The signals that the agent answers to: the one that asks for a snapshot and,
 * with exit=always, those that would end the process. The host may take any of
 * them over at any time, and then has it as if the agent were not there.
 */
#ifndef LA_SIGNALS_H
#define LA_SIGNALS_H

#include "agent/format/control_page.h"
#include "agent/options.h"

#include <signal.h>

/*
 * To the host, what we handle is at its default: programs leave a signal alone
 * that somebody handles already, and put back what they found. So these are
 * what it is to be told and what the kernel is to be told; any thread, in
 * signal handlers.
 */

/* Our action for a signal, or NULL. */
const struct sigaction *la_signals_action(int signal);

/* Whether `handler` is ours. */
bool la_signals_ours(void (*handler)(int));

/* At boot. Takes only signals that nobody has a handler for. */
void la_signals_install(const struct la_options *options);

/*
 * Whether the snapshot signal still comes to us: the host may have put a handler
 * of its own in place, or block it everywhere to wait for it (sigwait,
 * signalfd). On the agent's thread.
 */
enum la_signal_state la_signals_state(void);

#endif
