/*
 * A program with faults that memory checkers find: it loses a block of 1,234
 * bytes, and writes beyond the end of another when it is given an argument.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void *work(void *unused)
{
	for (int i = 1; i < 1000; i++) {
		char *block = malloc((size_t)i);

		memset(block, 1, (size_t)i);
		free(realloc(block, 2 * (size_t)i));
	}
	return unused;
}

__attribute__((noinline)) static void lose(void)
{
	char *volatile block = malloc(1234);

	block[0] = 1;
	block = NULL;
}

int main(int count, char **arguments)
{
	volatile char *last = malloc(10);
	pthread_t thread;

	(void)arguments;
	signal(SIGUSR2, SIG_DFL);
	pthread_create(&thread, NULL, work, NULL);
	pthread_join(thread, NULL);
	if (!fork())
		_exit(0);
	wait(NULL);
	lose();
	if (count > 1)
		last[10] = 1;
	free((char *)last);
	puts("done");
	return 0;
}
