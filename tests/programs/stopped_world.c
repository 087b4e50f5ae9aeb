/*
 * Stops its other thread with a signal, wherever that is, maps memory, and lets
 * it go on: as garbage collectors do.
 */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

enum { TIMES = 3000, MAPPINGS = 20, STOP = SIGPWR, GO_ON = SIGXCPU };

static sem_t stopped;
static volatile sig_atomic_t done;

static void go_on(int number)
{
	(void)number;
}

static void stop(int number)
{
	sigset_t all_but_one;

	(void)number;
	sigfillset(&all_but_one);
	sigdelset(&all_but_one, GO_ON);
	sem_post(&stopped);
	sigsuspend(&all_but_one);
}

static void map_and_unmap(size_t bytes)
{
	void *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(block, bytes);
}

static void *work(void *unused)
{
	while (!done)
		map_and_unmap(8192);
	return unused;
}

int main(void)
{
	struct sigaction action = { .sa_handler = stop };
	pthread_t thread;

	sem_init(&stopped, 0, 0);
	sigfillset(&action.sa_mask);
	sigaction(STOP, &action, NULL);
	action.sa_handler = go_on;
	sigaction(GO_ON, &action, NULL);
	pthread_create(&thread, NULL, work, NULL);
	for (int i = 0; i < TIMES; i++) {
		pthread_kill(thread, STOP);
		while (sem_wait(&stopped))
			;
		for (int j = 0; j < MAPPINGS; j++)
			map_and_unmap(65536);
		pthread_kill(thread, GO_ON);
	}
	done = 1;
	pthread_join(thread, NULL);
	puts("done");
	return 0;
}
