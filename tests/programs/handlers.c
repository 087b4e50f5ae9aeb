/*
 * A signal handler ends the program, or has it execute itself anew, wherever
 * the program happens to be: most of the time in malloc or free.
 *
 * usage: handlers exec TIMES | _exit 0 | exit 0
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static char **volatile arguments;
static volatile int times;

static void handle(int number)
{
	static char rest[16];
	sigset_t none;

	(void)number;
	if (!strcmp(arguments[1], "_exit"))
		_exit(7);
	if (!strcmp(arguments[1], "exit"))
		exit(8); /* not allowed in a handler, and yet often done */
	if (times == 0)
		_exit(9);
	/* What is blocked stays blocked in the next program. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	snprintf(rest, sizeof(rest), "%d", times - 1);
	execl(arguments[0], arguments[0], "exec", rest, (char *)NULL);
	_exit(10);
}

int main(int argc, char **argv)
{
	struct itimerval soon = { .it_value.tv_usec = 3000 };
	void *volatile block;

	if (argc != 3)
		return 2;
	arguments = argv;
	times = atoi(argv[2]);
	/* Nothing may be waiting in a buffer when the handler comes. */
	setvbuf(stdout, NULL, _IONBF, 0);
	signal(SIGALRM, handle);
	setitimer(ITIMER_REAL, &soon, NULL);
	for (;;) {
		block = malloc(100);
		free(block);
	}
}
