/*
 * Forks children that allocate, while threads of the parent allocate too.
 * Child N (from 1) keeps N blocks of 1000 bytes and exits normally; the parent
 * prints their statuses and keeps 100 blocks.
 *
 * usage: forks CHILDREN
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
#define BLOCKS 1000
#define BURST 500

void *forks_blocks[BLOCKS];
static atomic_bool threads_end;

__attribute__((noinline)) static void forks_keep(int count)
{
	for (int i = 0; i < count; i++) {
		forks_blocks[i] = malloc(1000);
		if (!forks_blocks[i])
			abort();
	}
}

__attribute__((noinline)) static void *allocate_and_free(void *argument)
{
	for (unsigned i = 0; !threads_end; i++) {
		char *block = malloc(100);

		if (block)
			block[0] = 1;
		free(realloc(block, 5000));
		/* Fork wants its turn, too. */
		if (i % BURST == 0)
			usleep(200);
	}
	return argument;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	int children = argc > 1 ? atoi(argv[1]) : 1;

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, allocate_and_free, NULL))
			return 1;
	for (int i = 1; i <= children; i++) {
		pid_t child = fork();
		int status;

		if (!child) {
			forks_keep(i);
			exit(i % 7);
		}
		if (waitpid(child, &status, 0) != child)
			return 1;
		printf("child %d: %d\n", i, status);
		fflush(stdout);
	}
	threads_end = 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	forks_keep(100);
	return 0;
}
