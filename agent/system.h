/*
 * System calls that host threads make inside the agent. They return a result
 * or -errno and never touch errno. The agent's own thread uses libc.
 */
#ifndef LA_SYSTEM_H
#define LA_SYSTEM_H

#include "agent/arch.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#define la_likely(x) __builtin_expect(!!(x), 1)
#define la_unlikely(x) __builtin_expect(!!(x), 0)

static inline int la_sys_failed(long result)
{
	return (unsigned long)result >= -4095UL;
}

static inline long la_sys_mmap(void *address, size_t length, int protection,
			       int flags, int fd, off_t offset)
{
	return la_arch_syscall(SYS_mmap, (long)address, (long)length,
			       protection, flags, fd, offset);
}

static inline long la_sys_munmap(void *address, size_t length)
{
	return la_arch_syscall(SYS_munmap, (long)address, (long)length, 0, 0, 0,
			       0);
}

static inline long la_sys_mremap(void *old, size_t old_length, size_t length,
				 int flags, void *fixed)
{
	return la_arch_syscall(SYS_mremap, (long)old, (long)old_length,
			       (long)length, flags, (long)fixed, 0);
}

static inline int la_sys_getpid(void)
{
	return (int)la_arch_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

static inline int la_sys_gettid(void)
{
	return (int)la_arch_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

static inline long la_sys_getcwd(char *buffer, size_t size)
{
	return la_arch_syscall(SYS_getcwd, (long)buffer, (long)size, 0, 0, 0,
			       0);
}

static inline long la_sys_write(int fd, const void *data, size_t size)
{
	return la_arch_syscall(SYS_write, fd, (long)data, (long)size, 0, 0, 0);
}

/* A set of signals, as the kernel has it. */
typedef uint64_t la_signal_set;

static inline long la_sys_sigprocmask(int how, const la_signal_set *set,
				      la_signal_set *old)
{
	return la_arch_syscall(SYS_rt_sigprocmask, how, (long)set, (long)old,
			       sizeof(*set), 0, 0);
}

/* Whether a thread of this process lives. */
static inline int la_sys_thread_lives(int process, int thread)
{
	return la_arch_syscall(SYS_tgkill, process, thread, 0, 0, 0, 0) !=
	       -ESRCH;
}

/* Shared futexes: the control page is seen by other processes. */
static inline long la_sys_futex_wait(uint32_t *word, uint32_t expected,
				     const struct timespec *timeout)
{
	return la_arch_syscall(SYS_futex, (long)word, FUTEX_WAIT, expected,
			       (long)timeout, 0, 0);
}

static inline long la_sys_futex_wake(uint32_t *word, int waiters)
{
	return la_arch_syscall(SYS_futex, (long)word, FUTEX_WAKE, waiters, 0, 0,
			       0);
}

#endif
