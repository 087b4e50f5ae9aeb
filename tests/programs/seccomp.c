/*
 * Installs a filter of system calls that ends the process on any call that an
 * allocator or this program does not make, and then allocates and frees from
 * stacks old and new, maps, and lets threads do so, too.
 *
 * usage: seccomp WAY
 *   prctl, seccomp    for this thread, by either call
 *   call              the same as prctl, without libc's function for it
 *   busy              the same, and then it computes for a while
 *   fork              the same, and then it forks
 *   twice             the same, when there is a mild one already
 *   all               for all threads
 *   mild              for all threads, and it only makes execve fail
 *   strict            without a filter: read, write and exit are allowed
 *   refused           it is installed in vain: the kernel does not take it
 */
#define _GNU_SOURCE
#include "tests/programs/stacks.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALLOW(name)                                                            \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1),                 \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

#define NUMBER                                                                 \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))

/* What a second filter, and the threads that there are, take comes last. */
#define ALLOCATORS_CALLS                                                       \
	ALLOW(brk), ALLOW(mmap), ALLOW(munmap), ALLOW(mremap), ALLOW(madvise), \
		ALLOW(mprotect), ALLOW(write), ALLOW(rt_sigreturn),            \
		ALLOW(exit), ALLOW(exit_group), ALLOW(seccomp), ALLOW(prctl)

static struct sock_filter strict[] = {
	NUMBER,
	ALLOCATORS_CALLS,
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
};

/* The same, but for fork as libc does it, and wait. */
static struct sock_filter forking[] = {
	NUMBER,
	ALLOCATORS_CALLS,
	ALLOW(clone),
	ALLOW(futex),
	ALLOW(rt_sigprocmask),
	ALLOW(set_robust_list),
	ALLOW(wait4),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
};

static struct sock_filter mild[] = {
	NUMBER,
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

#define PROGRAM(steps) { sizeof(steps) / sizeof((steps)[0]), steps }
static struct sock_fprog strict_program = PROGRAM(strict);
static struct sock_fprog forking_program = PROGRAM(forking);
static struct sock_fprog mild_program = PROGRAM(mild);

static void say(const char *text)
{
	if (write(1, text, strlen(text)) < 0)
		_exit(3);
}

static long by_prctl(struct sock_fprog *program)
{
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0);
}

static long by_seccomp(struct sock_fprog *program, unsigned flags)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);
}

static long install(const char *way)
{
	struct sock_fprog empty = { 0, strict };

	if (!strcmp(way, "prctl") || !strcmp(way, "busy"))
		return by_prctl(&strict_program);
	if (!strcmp(way, "call"))
		return syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER,
			       &strict_program, 0, 0);
	if (!strcmp(way, "seccomp"))
		return by_seccomp(&strict_program, 0);
	if (!strcmp(way, "fork"))
		return by_prctl(&forking_program);
	if (!strcmp(way, "twice"))
		return by_seccomp(&mild_program, 0) |
		       by_prctl(&strict_program);
	if (!strcmp(way, "all"))
		return by_seccomp(&strict_program, SECCOMP_FILTER_FLAG_TSYNC);
	if (!strcmp(way, "mild"))
		return by_seccomp(&mild_program, SECCOMP_FILTER_FLAG_TSYNC);
	if (!strcmp(way, "refused"))
		return by_prctl(NULL) != -1 || by_prctl(&empty) != -1 ||
		       by_seccomp(NULL, SECCOMP_FILTER_FLAG_TSYNC) != -1 ||
		       by_seccomp(&strict_program, 1 << 30) != -1 ||
		       by_seccomp(&strict_program,
				  1 << 30 | SECCOMP_FILTER_FLAG_TSYNC) != -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0);
}

NOINLINE static void descend(int depth)
{
	char room[64];

	USED(room);
	if (depth > 0)
		descend(depth - 1);
	else
		keep(100);
	borrow(3000);
	USED(room);
}

static volatile int ready, filtered;

/* Made before the filter: it is not filtered unless all threads are. */
static void *wait_and_allocate(void *unused)
{
	/* libc looks at the machine for a thread's first block. */
	borrow(1);
	ready = 1;
	while (!filtered)
		continue;
	for (int depth = 0; depth < 20; depth++)
		descend(depth);
	filtered = 2;
	for (;;)
		continue;
	return unused;
}

NOINLINE static void allocate_much(void)
{
	for (int round = 0; round < 200; round++)
		descend(round % 40);
	for (int i = 1; i < 3000; i++) {
		void *mapped = mmap(NULL, 40960, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		borrow((size_t)i * 100);
		munmap(mapped, 40960);
	}
}

/* Half a second or more, of which no clock need be asked. */
static void compute(void)
{
	for (volatile unsigned i = 0; i < 1000000000; i++)
		continue;
}

static void fork_once(void)
{
	int status = -1;
	pid_t child = fork();

	if (!child) {
		for (int depth = 0; depth < 50; depth++)
			descend(depth);
		exit(0);
	}
	if (waitpid(child, &status, 0) != child || status)
		say("the child did not live\n");
}

int main(int count, char **arguments)
{
	int strictly = count == 2 && !strcmp(arguments[1], "strict");
	pthread_t thread;

	if (count != 2)
		return 2;
	for (int i = 0; i < 10; i++)
		keep(1000);
	if (!strictly && pthread_create(&thread, NULL, wait_and_allocate, NULL))
		return 3;
	while (!strictly && !ready)
		continue;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (install(arguments[1]))
		return 4;
	say("installed\n");
	if (strictly) {
		for (int i = 0; i < 100; i++)
			borrow(100);
		say("done\n");
		syscall(SYS_exit, 0);
	}
	filtered = 1;
	if (!strcmp(arguments[1], "fork"))
		fork_once();
	if (!strcmp(arguments[1], "busy"))
		compute();
	allocate_much();
	while (filtered != 2)
		continue;
	say("done\n");
	return 0;
}
