/*
 * Filters of system calls: whoever installs one goes through here, and the agent
 * sees to it before that none of its own calls offends against it.
 */

#define _GNU_SOURCE

#include "agent/filtering.h"
#include "agent/hook.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <sys/prctl.h>

/* Called from assembly. */
long la_hook_syscall_early(long number, long a, long b, long c, long d, long e,
			   long f);
long la_hook_seccomp(long number, long operation, long flags,
		     const struct sock_fprog *filter);
long la_hook_prctl(long number, long option, long a, long b, long c, long d);

/* Not before the next definitions are known: allocators make system calls. */
long la_hook_syscall_early(long number, long a, long b, long c, long d, long e,
			   long f)
{
	long result = la_arch_syscall(number, a, b, c, d, e, f);

	if (!la_sys_failed(result))
		return result;
	errno = (int)-result;
	return -1;
}

long la_hook_seccomp(long number, long operation, long flags,
		     const struct sock_fprog *filter)
{
	struct la_filtering filtering;
	long result;

	if (!la_real_known())
		return la_hook_syscall_early(number, operation, flags,
					     (long)filter, 0, 0, 0);
	/* Others only ask what the kernel can do. */
	if (operation > SECCOMP_SET_MODE_FILTER)
		return la_real.syscall(number, operation, flags,
				       (long)filter, 0, 0, 0);
	filtering = la_filtering_begin(
		operation == SECCOMP_SET_MODE_FILTER ? filter : NULL,
		operation == SECCOMP_SET_MODE_STRICT,
		flags & SECCOMP_FILTER_FLAG_TSYNC);
	result = la_real.syscall(number, operation, flags, (long)filter, 0,
				 0, 0);
	/* A listener's descriptor, or the thread that does not follow. */
	la_filtering_end(filtering,
			 result == 0 ||
				 (result > 0 &&
				  flags & SECCOMP_FILTER_FLAG_NEW_LISTENER));
	return result;
}

long la_hook_prctl(long number, long option, long a, long b, long c, long d)
{
	(void)number;
	return prctl((int)option, a, b, c, d);
}

/* libc's, in front of libc's; see arch.h. */
LA_EXPORT __attribute__((naked)) long hook_syscall(void) __asm__("syscall");

LA_EXPORT __attribute__((naked)) long hook_syscall(void)
{
	LA_ARCH_SYSCALL_HOOK(SYS_seccomp, la_hook_seccomp, SYS_prctl,
			     la_hook_prctl, la_real,
			     offsetof(struct la_real, syscall),
			     la_hook_syscall_early);
}

LA_EXPORT int prctl(int option, ...)
{
	struct la_filtering filtering;
	unsigned long a, b, c, d;
	va_list more;
	int result;

	va_start(more, option);
	a = va_arg(more, unsigned long);
	b = va_arg(more, unsigned long);
	c = va_arg(more, unsigned long);
	d = va_arg(more, unsigned long);
	va_end(more);
	if (!la_real_known() || !la_real.prctl)
		return (int)la_hook_syscall_early(SYS_prctl, option, (long)a, (long)b,
					  (long)c, (long)d, 0);
	if (option != PR_SET_SECCOMP)
		return la_real.prctl(option, a, b, c, d);
	filtering = la_filtering_begin(
		a == SECCOMP_MODE_FILTER ? (const void *)b : NULL,
		a == SECCOMP_MODE_STRICT, false);
	result = la_real.prctl(option, a, b, c, d);
	la_filtering_end(filtering, !result);
	return result;
}
