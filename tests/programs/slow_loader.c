/* build: -rdynamic -ldl */
/*
 * Threads come and go while another forks, and children load a library. Looking
 * through the loaded objects, during which the loader's list is locked, takes
 * long here: whoever does that while somebody forks leaves the lock taken in
 * the child for ever. Of the program's own accord nobody does.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 50, PATIENCE = 150 };

typedef int (*visitor)(struct dl_phdr_info *, size_t, void *);

struct visit {
	visitor next;
	void *argument;
};

static volatile int slow, done;

static int visit_slowly(struct dl_phdr_info *info, size_t size, void *argument)
{
	const struct visit *visit = argument;

	if (slow)
		usleep(300);
	return visit->next(info, size, visit->argument);
}

int dl_iterate_phdr(visitor next, void *argument)
{
	static int (*real)(visitor, void *);
	struct visit visit = { next, argument };

	if (!real) {
		void *symbol = dlsym(RTLD_NEXT, "dl_iterate_phdr");

		memcpy(&real, &symbol, sizeof(symbol));
	}
	return real(visit_slowly, &visit);
}

static void *allocate(void *unused)
{
	free(malloc(100));
	return unused;
}

static void *start_threads(void *unused)
{
	while (!done) {
		pthread_t thread;

		pthread_create(&thread, NULL, allocate, NULL);
		pthread_join(thread, NULL);
	}
	return unused;
}

static int run_child(void)
{
	int status = -1;
	pid_t child = fork();

	if (!child) {
		alarm(PATIENCE);
		slow = 0;
		free(malloc(1000));
		dlopen("libz.so.1", RTLD_NOW);
		_exit(0);
	}
	waitpid(child, &status, 0);
	return status;
}

int main(void)
{
	pthread_t thread;
	int status = 0;

	slow = 1;
	pthread_create(&thread, NULL, start_threads, NULL);
	for (int i = 0; !status && i < CHILDREN; i++)
		status = run_child();
	printf("children ended with %x\n", (unsigned)status);
	done = 1;
	pthread_join(thread, NULL);
	return 0;
}
