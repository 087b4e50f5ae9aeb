/*
 * A thread that was cancelled, and comes to know only where it asks: until then
 * it goes on, and every function of the allocator's, of mappings and of threads
 * that is no cancellation point leaves it alone, however much there is to do
 * behind it. Another one may be cancelled anywhere, while it computes; its
 * cleanup handlers free what it has. Prints how far each came.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define NOINLINE __attribute__((noinline))

enum { TIMES = 1000, THREADS = 50, MAPPED = 8192 };

int leakagent_snapshot(const char *reason) __attribute__((weak));

static sem_t ready, cancelled;
static int went, cleaned;

static void *end_at_once(void *argument)
{
	return argument;
}

NOINLINE static void allocate(unsigned depth)
{
	char *volatile block = malloc(10 + depth);
	void *aligned;

	block = realloc(block, 2000);
	free(block);
	block = calloc(3, 10 + depth);
	free(block);
	if (!posix_memalign(&aligned, 64, 100))
		free(aligned);
	block = memalign(64, 100);
	free(block);
	if (depth)
		allocate(depth - 1);
}

NOINLINE static void map(void)
{
	void *memory = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memory = mremap(memory, MAPPED, 2 * MAPPED, MREMAP_MAYMOVE);
	munmap(memory, 2 * MAPPED);
}

NOINLINE static void detach(void)
{
	pthread_t thread;

	if (!pthread_create(&thread, NULL, end_at_once, NULL))
		pthread_detach(thread);
}

static void *go_on(void *unused)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	sem_post(&ready);
	sem_wait(&cancelled);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
	for (; went < TIMES; went++) {
		allocate((unsigned)went % 40);
		map();
		if (went % 20 == 0)
			detach();
	}
	if (leakagent_snapshot)
		leakagent_snapshot("cancelled");
	went++;
	pthread_testcancel();
	went = 0;
	return unused;
}

static void clean(void *block)
{
	free(block);
	cleaned++;
}

static void *compute(void *unused)
{
	volatile double number = 1;
	void *one = malloc(500), *two = malloc(600);

	pthread_cleanup_push(clean, one);
	pthread_cleanup_push(clean, two);
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	sem_post(&ready);
	for (;;)
		number = number * 1.000001 + 0.1;
	pthread_cleanup_pop(0);
	pthread_cleanup_pop(0);
	return unused;
}

static int run(void *(*routine)(void *))
{
	pthread_t thread;
	void *result = NULL;

	if (pthread_create(&thread, NULL, routine, NULL))
		abort();
	sem_wait(&ready);
	pthread_cancel(thread);
	sem_post(&cancelled);
	pthread_join(thread, &result);
	return result == PTHREAD_CANCELED;
}

int main(void)
{
	int were = 0;

	sem_init(&ready, 0, 0);
	sem_init(&cancelled, 0, 0);
	printf("cancelled: %d", run(go_on));
	printf(", after %d of %d\n", went, TIMES + 1);
	for (int i = 0; i < THREADS; i++)
		were += run(compute);
	printf("cancelled: %d of %d, cleaned %d\n", were, THREADS, cleaned);
	return 0;
}
