/* build: -O2 */
/*
 * Timers interrupt threads that allocate and map, a thousand times a second each,
 * and their handlers interrupt each other: they map and unmap at any moment, and
 * allocate and free unless the thread is just calling the allocator. At the end
 * it asks for a snapshot and prints, for each function that makes something: its
 * name, what it ever made, how many and bytes, and what of that is live.
 *
 * usage: timers SIGNALS   (that each thread handles)
 */
#define _GNU_SOURCE
#include "tests/programs/books.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define NO_TAIL_CALL __asm__ volatile("" : : : "memory")

enum { THREADS = 3, SLOTS = 32, PAGE = 4096, PERIOD_US = 1000 };

enum maker { PLAIN_BLOCK, HANDLER_BLOCK, PLAIN_MAP, HANDLER_MAP, MAKERS };

static const char *const names[] = { "timers_block", "handler_block",
				     "timers_map", "handler_map" };

static __thread struct thing *blocks[SLOTS], *maps[SLOTS];
static __thread volatile sig_atomic_t in_allocator, handled;
static __thread volatile uint64_t handled_maps;
static int signals;

NOINLINE static struct thing *timers_block(uint32_t size)
{
	struct thing *block = malloc(size);

	NO_TAIL_CALL;
	return block;
}

NOINLINE static struct thing *handler_block(uint32_t size)
{
	struct thing *block = calloc(1, size);

	NO_TAIL_CALL;
	return block;
}

static struct thing *map(uint32_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

NOINLINE static struct thing *timers_map(uint32_t size)
{
	struct thing *mapping = map(size);

	NO_TAIL_CALL;
	return mapping;
}

/* Different from the one above, or the compiler makes one of them. */
NOINLINE static struct thing *handler_map(uint32_t size)
{
	struct thing *mapping = map(size);

	handled_maps++;
	NO_TAIL_CALL;
	return mapping;
}

static void discard_map(struct thing *mapping)
{
	if (mapping)
		munmap(mapping, strike_out(mapping));
}

static uint32_t some_size(void)
{
	return (uint32_t)(sizeof(struct thing) + draw(600));
}

static uint32_t some_pages(void)
{
	return (uint32_t)(PAGE * (1 + draw(3)));
}

static void handle(int number)
{
	uint32_t size;

	(void)number;
	handled++;
	for (int times = 0; times < 3; times++) {
		size = some_pages();
		discard_map(swap(&maps[draw(SLOTS)],
				 enter(handler_map(size), size, HANDLER_MAP)));
		discard_map(swap(&maps[draw(SLOTS)], NULL));
	}
	if (in_allocator)
		return;
	in_allocator = 1;
	size = some_size();
	discard(swap(&blocks[draw(SLOTS)],
			   enter(handler_block(size), size, HANDLER_BLOCK)));
	in_allocator = 0;
}

static void operate(void)
{
	uint32_t size = some_size(), pages = some_pages();

	in_allocator = 1;
	discard(swap(&blocks[draw(SLOTS)],
			   enter(timers_block(size), size, PLAIN_BLOCK)));
	in_allocator = 0;
	discard_map(swap(&maps[draw(SLOTS)],
			 enter(timers_map(pages), pages, PLAIN_MAP)));
	for (volatile int i = 0; i < 200; i++)
		;
}

/* Its own, besides the one that all threads share. */
static timer_t start_timer(void)
{
	struct itimerspec period = { { 0, PERIOD_US * 1000 },
				     { 0, PERIOD_US * 1000 } };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID,
				  .sigev_signo = SIGUSR1 };
	timer_t timer;

	event._sigev_un._tid = gettid();
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) ||
	    timer_settime(timer, 0, &period, NULL))
		abort();
	return timer;
}

static void *work(void *argument)
{
	timer_t timer = start_timer();
	sigset_t all;

	random_state = (uintptr_t)argument;
	while (handled < signals)
		operate();
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	timer_delete(timer);
	/* Some stay, since the books have them, too. */
	for (int i = 0; i < SLOTS / 2; i++) {
		discard(swap(&blocks[i], NULL));
		discard_map(swap(&maps[i], NULL));
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct itimerval period = { { 0, PERIOD_US }, { 0, PERIOD_US } };
	struct sigaction action = { .sa_handler = handle,
				    .sa_flags = SA_RESTART };
	pthread_t threads[THREADS];

	if (argc != 2)
		return 2;
	signals = atoi(argv[1]);
	sigaction(SIGALRM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)i))
			return 1;
	setitimer(ITIMER_REAL, &period, NULL);
	work((void *)(uintptr_t)THREADS);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	close_books(names, MAKERS);
	return 0;
}
