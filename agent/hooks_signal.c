/*
 * Signal dispositions. Where a signal is at its default for the host, the
 * agent's handler may stand in for that: the host is told of the default, and
 * asking for the default brings the agent's handler back.
 */

#define _GNU_SOURCE /* sysv_signal */

#include "agent/hook.h"
#include "agent/signals.h"

#include <errno.h>
#include <signal.h>

/* libc's own, by a name that is no hook's. */
extern int __sigaction(int number, const struct sigaction *action,
		       struct sigaction *old);

static bool is_default(const struct sigaction *action)
{
	return action && action->sa_handler == SIG_DFL;
}

LA_EXPORT int sigaction(int number, const struct sigaction *action,
			struct sigaction *old)
{
	const struct sigaction *ours = la_signals_action(number);
	struct sigaction before;
	int result;

	/* The search allocates: not for an allocator that is just starting. */
	if (!la_real_known())
		return __sigaction(number, action, old);
	if (!ours)
		return la_real.sigaction(number, action, old);
	result = la_real.sigaction(number, is_default(action) ? ours : action,
				   &before);
	if (result || !old)
		return result;
	*old = la_signals_ours(before.sa_handler) ?
		       (struct sigaction){ .sa_handler = SIG_DFL } :
		       before;
	return 0;
}

static la_signal_handler set(int number, la_signal_handler handler,
			     la_signal_handler (*next)(int, la_signal_handler))
{
	const struct sigaction *ours = la_signals_action(number);
	struct sigaction before;
	la_signal_handler old;

	if (ours && handler == SIG_DFL)
		old = la_real.sigaction(number, ours, &before) ?
			      SIG_ERR :
			      before.sa_handler;
	else
		old = next(number, handler);
	return la_signals_ours(old) ? SIG_DFL : old;
}

#define SIGNAL_HOOK(name)                                                      \
	LA_EXPORT la_signal_handler name(int number,                           \
					 la_signal_handler handler);           \
	LA_EXPORT la_signal_handler name(int number,                           \
					 la_signal_handler handler)            \
	{                                                                      \
		if (!la_real_ready() || !la_real.name) {                       \
			errno = EINVAL;                                        \
			return SIG_ERR;                                        \
		}                                                              \
		return set(number, handler, la_real.name);                     \
	}

SIGNAL_HOOK(signal)
SIGNAL_HOOK(bsd_signal)
SIGNAL_HOOK(ssignal)
SIGNAL_HOOK(sysv_signal)
SIGNAL_HOOK(__sysv_signal)
