/*
 * What the agent's unit tests share: cmocka with what it needs, numbers that
 * are random but the same in every run, and several threads at once.
 *
 * cmocka's assertions are for the main thread: others use note_unless.
 */
#ifndef TESTS_AGENT_CHECK_H
#define TESTS_AGENT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define array_length(array) (sizeof(array) / sizeof((array)[0]))

/* SplitMix64 (Steele, Lea, Flood, 2014): *seed is all its state. */
static inline uint64_t random_next(uint64_t *seed)
{
	uint64_t mixed = *seed += UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ (mixed >> 31);
}

static inline uint64_t random_below(uint64_t *seed, uint64_t limit)
{
	return random_next(seed) % limit;
}

enum { MOST_THREADS = 16 };

static uint32_t crew_wrong;

static inline void note_unless(bool right)
{
	if (!right)
		__atomic_add_fetch(&crew_wrong, 1, __ATOMIC_RELAXED);
}

struct crew_member {
	void (*work)(unsigned number);
	unsigned number;
	pthread_barrier_t *start;
};

static inline void *crew_run(void *argument)
{
	struct crew_member *member = argument;

	pthread_barrier_wait(member->start);
	member->work(member->number);
	return NULL;
}

/*
 * Runs work(0) .. work(count - 1), each on a thread, begun together; fails when
 * one of them has noted something.
 */
static inline void crew(unsigned count, void (*work)(unsigned number))
{
	pthread_t threads[MOST_THREADS];
	struct crew_member members[MOST_THREADS];
	pthread_barrier_t start;

	assert_true(count <= MOST_THREADS);
	crew_wrong = 0;
	assert_int_equal(pthread_barrier_init(&start, NULL, count), 0);
	for (unsigned i = 0; i < count; i++) {
		members[i] = (struct crew_member){ work, i, &start };
		assert_int_equal(pthread_create(&threads[i], NULL, crew_run,
						&members[i]),
				 0);
	}
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	pthread_barrier_destroy(&start);
	assert_int_equal(crew_wrong, 0);
}

/* Runs check in a forked child; its result, or -1 when the child died of it. */
static inline int in_child(int (*check)(void))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child)
		_exit(check());
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif
