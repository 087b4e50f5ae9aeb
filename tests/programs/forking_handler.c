/*
 * One thread allocates, and a signal's handler forks wherever it is, most of
 * the time in malloc or free, as those do that restart workers or run a debugger
 * after a crash. A child ends at once, executes true, or returns from the
 * handler, goes on where its parent was, and ends after a while.
 *
 * Others of the kind: forkpty gives the child a terminal, daemon goes on in the
 * child alone, and unshare has the agent's thread end and begin anew.
 *
 * usage: forking_handler end|exec|continue|forkpty|daemon|unshare TIMES
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCKS = 64, ROUNDS = 100, KEPT = 1234 };

static const char *how;
static volatile sig_atomic_t left;
static volatile sig_atomic_t is_child, handlers;
void *volatile forking_handler_kept;

static void fork_soon(int microseconds)
{
	struct itimerval timer = { .it_value = { 0, microseconds } };

	setitimer(ITIMER_REAL, &timer, NULL);
}

static void count_fork(void)
{
	handlers++;
}

static void begin_child(void)
{
	if (!strcmp(how, "end") || !strcmp(how, "forkpty"))
		_exit(0);
	if (!strcmp(how, "exec")) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	is_child = 1;
}

static void have_child(void)
{
	int status = 0, terminal = -1;
	pid_t child = strcmp(how, "forkpty") ?
			      fork() :
			      forkpty(&terminal, NULL, NULL, NULL);

	if (!child) {
		begin_child();
		return;
	}
	if (waitpid(child, &status, 0) != child || status)
		_exit(1);
	if (terminal >= 0)
		close(terminal);
}

static void handle(int number)
{
	(void)number;
	if (!strcmp(how, "daemon")) {
		if (daemon(1, 1))
			_exit(1);
	} else if (!strcmp(how, "unshare")) {
		/* Refused to processes with two threads, and where the handler
		 * has interrupted the agent itself. */
		if (unshare(CLONE_THREAD) && errno != EINVAL)
			_exit(1);
	} else {
		have_child();
	}
	if (--left > 0 && !is_child)
		fork_soon(200 + left % 300);
}

static void allocate(void)
{
	void *blocks[BLOCKS];

	for (int i = 0; i < BLOCKS; i++)
		blocks[i] = malloc(1500 + (size_t)i * 80);
	for (int i = 0; i < BLOCKS; i++)
		free(blocks[i]);
}

__attribute__((noinline)) static void forking_handler_keep(void)
{
	forking_handler_kept = malloc(KEPT);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	how = argv[1];
	left = atoi(argv[2]);
	pthread_atfork(count_fork, count_fork, count_fork);
	signal(SIGALRM, handle);
	fork_soon(1000);
	while (left > 0 && !is_child)
		allocate();
	for (int round = 0; is_child && round < ROUNDS; round++)
		allocate();
	forking_handler_keep();
	if (is_child)
		return 0;
	printf("%d times in handlers of fork\n", (int)handlers);
	return 0;
}
