/*
 * Ends any process that makes one system call, and then does what starts
 * something new under that filter.
 *
 * usage: confined NUMBER fork|unshare
 *        confined NUMBER PROGRAM [ARGUMENT...]   executes it
 */
#define _GNU_SOURCE
#include "tests/programs/forbidding.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KEPT = 4321 };

static void *volatile kept;

__attribute__((noinline)) static void keep_one(void)
{
	kept = malloc(KEPT);
}

static int forbid(unsigned number)
{
	struct sock_filter steps[] =
		FORBIDDING(number, SECCOMP_RET_KILL_PROCESS);
	struct sock_fprog program = { sizeof(steps) / sizeof(steps[0]), steps };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int fork_once(void)
{
	int status = -1;
	pid_t child = fork();

	if (!child) {
		keep_one();
		exit(0);
	}
	waitpid(child, &status, 0);
	printf("the child ended with %#x\n", (unsigned)status);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 3 || forbid((unsigned)atoi(argv[1])))
		return 2;
	keep_one();
	if (!strcmp(argv[2], "fork"))
		return fork_once();
	if (!strcmp(argv[2], "unshare")) {
		printf("unshare: %d\n", unshare(CLONE_NEWUSER));
		keep_one();
		return 0;
	}
	execv(argv[2], argv + 2);
	perror(argv[2]);
	return 1;
}
