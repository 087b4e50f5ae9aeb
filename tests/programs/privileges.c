/*
 * Children that give up their privileges, as servers' workers do, while another
 * thread of theirs takes snapshots, a little later in each. Says which of the
 * snapshots could not be taken.
 *
 * usage: privileges CHILDREN
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534, SNAPSHOTS = 10 };

int leakagent_snapshot(const char *reason) __attribute__((weak));

static void *take_snapshots(void *unused)
{
	for (int i = 0; i < SNAPSHOTS; i++) {
		int error = leakagent_snapshot ? leakagent_snapshot("x") : 0;

		if (error)
			printf("snapshot %d: %d\n", i, error);
	}
	return unused;
}

static int give_up(int after_us)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, take_snapshots, NULL))
		return 1;
	usleep((useconds_t)after_us);
	if (setuid(geteuid() ? geteuid() : NOBODY))
		return 1;
	pthread_join(thread, NULL);
	fflush(stdout);
	_exit(0);
}

int main(int argc, char **argv)
{
	int children = argc == 2 ? atoi(argv[1]) : 0;

	for (int i = 0; i < children; i++) {
		int status, child = fork();

		if (!child)
			return give_up(i * 300);
		if (waitpid(child, &status, 0) != child || status)
			return 1;
	}
	return 0;
}
