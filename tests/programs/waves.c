/*
 * Threads come and go in waves, in all the ways that a thread ends: it returns,
 * calls pthread_exit, or is cancelled while it waits. All of a wave live at the
 * same time. Each hands over a block, which main frees when the thread has gone,
 * and its thread-specific data allocates once more at its very end. After the
 * second wave and at the end it asks for a snapshot.
 *
 * usage: waves WAVES THREADS
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

enum { MOST_THREADS = 200, ROUNDS = 20 };

int leakagent_snapshot(const char *reason) __attribute__((weak));

static pthread_barrier_t all_there;
static pthread_key_t at_end;
static void *left_behind[MOST_THREADS];

NOINLINE static void *waves_hand_over(void)
{
	char *volatile block = malloc(300);

	return block;
}

NOINLINE static void waves_pass(unsigned depth)
{
	char *volatile block = malloc(10 + depth);

	if (depth)
		waves_pass(depth - 1);
	free(block);
}

NOINLINE static void waves_at_end(void *unused)
{
	char *volatile block = malloc(70);

	(void)unused;
	free(block);
}

static void wait_for_ever(void)
{
	for (;;)
		pause();
}

static void *work(void *argument)
{
	uintptr_t number = (uintptr_t)argument;

	pthread_setspecific(at_end, &left_behind[number]);
	left_behind[number] = waves_hand_over();
	for (unsigned i = 0; i < ROUNDS; i++)
		waves_pass(i % 7);
	pthread_barrier_wait(&all_there);
	if (number % 3 == 1)
		pthread_exit(argument);
	if (number % 3 == 2)
		wait_for_ever();
	return argument;
}

static void run_wave(unsigned count)
{
	pthread_t threads[MOST_THREADS];

	pthread_barrier_init(&all_there, NULL, count + 1);
	for (uintptr_t i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)i))
			abort();
	pthread_barrier_wait(&all_there);
	for (unsigned i = 2; i < count; i += 3)
		pthread_cancel(threads[i]);
	for (unsigned i = 0; i < count; i++) {
		pthread_join(threads[i], NULL);
		free(left_behind[i]);
	}
	pthread_barrier_destroy(&all_there);
}

static void snapshot(const char *reason)
{
	if (leakagent_snapshot)
		leakagent_snapshot(reason);
}

int main(int argc, char **argv)
{
	unsigned waves, threads;

	if (argc != 3)
		return 2;
	waves = (unsigned)atoi(argv[1]);
	threads = (unsigned)atoi(argv[2]);
	if (threads > MOST_THREADS)
		return 2;
	pthread_key_create(&at_end, waves_at_end);
	for (unsigned i = 1; i <= waves; i++) {
		run_wave(threads);
		if (i == 2)
			snapshot("second");
	}
	snapshot("last");
	printf("%u threads\n", waves * threads);
	return 0;
}
