/*
 * Makes children past fork(), as sandboxes do, while snapshots are taken. They
 * have a copy of everything and allocate; the program has one thread, so that
 * is allowed.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCKS = 200000, CHILDREN = 150, PATIENCE = 150 };

int leakagent_snapshot(const char *reason) __attribute__((weak));

static void *volatile last;

static void allocate(int blocks)
{
	for (int i = 0; i < blocks; i++)
		last = malloc(20 + (size_t)i % 1000);
}

static int run_child(void)
{
	int status = -1;
	int child = (int)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (!child) {
		/* One that hangs is to be seen. */
		alarm(PATIENCE);
		allocate(5000);
		_exit(0);
	}
	waitpid(child, &status, 0);
	return status;
}

int main(void)
{
	allocate(BLOCKS);
	for (int i = 0; i < CHILDREN; i++) {
		if (leakagent_snapshot)
			kill(getpid(), SIGUSR2);
		int status = run_child();

		if (status) {
			printf("a child ended with %x\n", (unsigned)status);
			return 1;
		}
	}
	puts("all ended well");
	return 0;
}
