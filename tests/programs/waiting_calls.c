/*
 * Each thread waits in another system call, and main in read, until the input
 * ends. Says "waiting" when all of them do, and then, for each, how it came
 * out: "as it should", or "interrupted" (EINTR, or earlier than it should).
 *
 * With an argument, it sends itself that signal meanwhile, thread by thread, as
 * often as there are calls in which a thread may be caught: those that start
 * again wait on.
 *
 * usage: waiting_calls [SIGNAL]
 */
#define _GNU_SOURCE
#include "tests/programs/waiting_calls.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TIMES = 3 };

static struct waiter {
	const struct call *call;
	pthread_t thread;
	pid_t id;
	int error, over;
} waiters[CALLS];

static void *run(void *argument)
{
	struct waiter *waiter = argument;

	__atomic_store_n(&waiter->id, gettid(), __ATOMIC_RELEASE);
	waiter->error = waiter->call->wait();
	__atomic_store_n(&waiter->over, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Whether the thread sleeps in a system call. */
static int asleep(const struct waiter *waiter)
{
	char path[64], line[256] = "";
	const char *state;
	int file;
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat",
		 (int)__atomic_load_n(&waiter->id, __ATOMIC_ACQUIRE));
	file = open(path, O_RDONLY | O_CLOEXEC);
	length = file < 0 ? 0 : read(file, line, sizeof(line) - 1);
	if (file >= 0)
		close(file);
	line[length > 0 ? length : 0] = '\0';
	state = strrchr(line, ')');
	return state && state[2] == 'S';
}

static int over(const struct waiter *waiter)
{
	return __atomic_load_n(&waiter->over, __ATOMIC_ACQUIRE);
}

static const struct waiter *in_call(int (*wait)(void))
{
	const struct waiter *waiter = waiters;

	while (waiter->call->wait != wait)
		waiter++;
	return waiter;
}

static void wait_until_asleep(const struct waiter *waiter)
{
	struct timespec moment = { .tv_nsec = 1000000 };

	while (!over(waiter) && !asleep(waiter))
		while (nanosleep(&moment, NULL))
			;
}

static void let_all_go(void)
{
	while (!over(in_call(in_write)))
		drain();
	let_go();
	for (int i = 0; i < CALLS; i++)
		if (!over(&waiters[i]))
			pthread_kill(waiters[i].thread, WAKE);
}

static void send_to_all(int number)
{
	for (int times = 0; times < TIMES; times++)
		for (int i = 0; i < CALLS; i++) {
			wait_until_asleep(&waiters[i]);
			if (!over(&waiters[i]))
				pthread_kill(waiters[i].thread, number);
		}
	for (int i = 0; i < CALLS; i++)
		wait_until_asleep(&waiters[i]);
}

int main(int argc, char **argv)
{
	char byte;

	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 4096);
	prepare();
	for (int i = 0; i < CALLS; i++) {
		waiters[i].call = &calls[i];
		if (pthread_create(&waiters[i].thread, NULL, run, &waiters[i]))
			return 1;
	}
	for (int i = 0; i < CALLS; i++)
		wait_until_asleep(&waiters[i]);
	if (argc > 1)
		send_to_all(atoi(argv[1]));
	puts("waiting");
	while (read(0, &byte, 1) > 0)
		;
	let_all_go();
	for (int i = 0; i < CALLS; i++) {
		pthread_join(waiters[i].thread, NULL);
		if (waiters[i].error && waiters[i].error != EINTR)
			printf("%s: %s\n", calls[i].name,
			       strerror(waiters[i].error));
		else
			printf("%s: %s\n", calls[i].name,
			       waiters[i].error ? "interrupted" :
						  "as it should");
	}
	clean_up();
	return 0;
}
