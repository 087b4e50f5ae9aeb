/* build: -O2 */
/*
 * Signals interrupt threads that allocate, wherever they happen to be, and the
 * handlers allocate and free, too, also what the thread itself has allocated.
 * For an allocator that can be called so: libsafe_malloc.c. Handlers run on
 * stacks that lie above those of the threads, as part of the first one's: what
 * they call is not taken for what an interrupted allocator calls. Now and then
 * the program forks. At the end it asks for a snapshot and prints, for each
 * function that allocates: its name, what it ever allocated, blocks and bytes,
 * and what of that is live.
 *
 * usage: storm SEED SIGNALS   (for each thread)
 */
#define _GNU_SOURCE
#include "tests/programs/books.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define NO_TAIL_CALL __asm__ volatile("" : : : "memory")

enum { STACK_BYTES = 64 * 1024, THREADS = 2, SLOTS = 512, MOST_BYTES = 600 };

enum maker { PLAIN, AGAIN, HANDLER, MAKERS };

static const char *const names[] = { "storm_plain", "storm_again",
				     "storm_handler" };

/* A thread's own, which its handlers share with it; and those of all. */
static __thread struct thing *own[SLOTS];
static struct thing *common[SLOTS];
static __thread volatile sig_atomic_t handled;

/* Where handlers run: by thread. */
static char (*stacks)[STACK_BYTES];

static uint64_t seed, signals;
static pthread_t threads[THREADS];
static uint64_t progress[THREADS]; /* operations */
static uint32_t finished;

static uint32_t some_size(void)
{
	uint64_t least = sizeof(struct thing);

	return (uint32_t)(least + draw(draw(2) ? 40 : MOST_BYTES - least));
}

NOINLINE static struct thing *storm_plain(uint32_t size)
{
	struct thing *block = malloc(size);

	NO_TAIL_CALL;
	return block;
}

NOINLINE static struct thing *storm_again(struct thing *old, uint32_t size)
{
	struct thing *block = realloc(old, size);

	NO_TAIL_CALL;
	return block;
}

NOINLINE static struct thing *storm_handler(uint32_t size)
{
	struct thing *block = calloc(1, size);

	NO_TAIL_CALL;
	return block;
}

static void operate(void)
{
	struct thing **slot = draw(3) ? &own[draw(SLOTS)] :
					&common[draw(SLOTS)];
	struct thing *block = swap(slot, NULL);
	uint32_t size = some_size();

	/* Blocks of handlers stay with their thread. */
	switch (draw(3)) {
	case 0:
		discard(block);
		break;
	case 1:
		discard(block);
		block = enter(storm_plain(size), size, PLAIN);
		discard(swap(slot, block));
		break;
	default:
		if (block)
			strike_out(block);
		block = enter(storm_again(block, size), size, AGAIN);
		discard(swap(slot, block));
	}
}

static void handle(int number)
{
	(void)number;
	handled++;
	for (uint64_t times = draw(3); times > 0; times--) {
		uint32_t size = some_size();

		discard(swap(&own[draw(SLOTS)],
			     enter(storm_handler(size), size, HANDLER)));
		if (draw(2))
			discard(swap(&own[draw(SLOTS)], NULL));
		if (draw(4) == 0)
			discard(swap(&common[draw(SLOTS)], NULL));
	}
}

static void fork_once(void)
{
	pid_t child = fork();

	if (!child) {
		for (int i = 0; i < 100; i++)
			operate();
		_exit(0);
	}
	while (waitpid(child, NULL, 0) < 0)
		;
}

static void empty_own(void)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	for (int i = 0; i < SLOTS; i++)
		if (draw(4))
			discard(swap(&own[i], NULL));
	/* What is left stays: it is the books' and the agent's. */
}

static void *work(void *argument)
{
	stack_t stack = { .ss_sp = stacks[(uintptr_t)argument],
			  .ss_size = STACK_BYTES };

	random_state = seed * THREADS + (uintptr_t)argument;
	sigaltstack(&stack, NULL);
	/* Code that the agent has never seen is not learnt in its midst. */
	for (int i = 0; i < 20; i++)
		raise(SIGPROF);
	for (uint64_t i = 0; (uint64_t)handled < signals; i++) {
		operate();
		__atomic_store_n(&progress[(uintptr_t)argument], i,
				 __ATOMIC_RELAXED);
		if (i % 200000 == 7)
			fork_once();
	}
	__atomic_add_fetch(&finished, 1, __ATOMIC_RELEASE);
	empty_own();
	return NULL;
}

/*
 * Signals every thread, until all have had enough; once in an operation, since
 * only so many events can wait while a thread is inside the agent.
 */
static void thunder(void)
{
	uint64_t random = seed, seen[THREADS] = { 0 };

	while (__atomic_load_n(&finished, __ATOMIC_ACQUIRE) < THREADS) {
		struct timespec pause = { .tv_nsec = 0 };

		for (int i = 0; i < THREADS; i++) {
			uint64_t now = __atomic_load_n(&progress[i],
						       __ATOMIC_RELAXED);

			if (now != seen[i])
				pthread_kill(threads[i], SIGPROF);
			seen[i] = now;
		}
		random = random * UINT64_C(6364136223846793005) + 1;
		pause.tv_nsec = (long)(random >> 33) % 100000;
		nanosleep(&pause, NULL);
	}
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = handle,
				    .sa_flags = SA_RESTART | SA_ONSTACK };
	char room[THREADS][STACK_BYTES];

	if (argc != 3)
		return 2;
	seed = strtoull(argv[1], NULL, 10);
	signals = strtoull(argv[2], NULL, 10);
	stacks = room;
	sigaction(SIGPROF, &action, NULL);
	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)i))
			return 1;
	thunder();
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	close_books(names, MAKERS);
	return 0;
}
