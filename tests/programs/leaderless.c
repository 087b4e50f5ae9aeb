/*
 * main ends with pthread_exit: the process lives until its last thread ends,
 * and then exits as if main had returned 0.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

void *volatile kept_block;

__attribute__((noinline)) static void keep(void)
{
	kept_block = malloc(1234);
}

static void *work(void *argument)
{
	/* main is gone, or nearly; the last one says so. */
	pthread_join(*(pthread_t *)argument, NULL);
	keep();
	puts("the last thread ends");
	return NULL;
}

static void at_exit(void)
{
	puts("exit handlers run");
}

int main(void)
{
	static pthread_t self;
	pthread_t thread;

	self = pthread_self();
	atexit(at_exit);
	if (pthread_create(&thread, NULL, work, &self))
		return 1;
	pthread_detach(thread);
	pthread_exit(NULL);
}
