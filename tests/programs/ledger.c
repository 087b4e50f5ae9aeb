/*
 * Eight threads allocate, map and create threads in random order through every
 * function that the agent hooks, and keep books of it. At quiet points the
 * program asks for a snapshot and prints what must stand in it, one JSON
 * object a line; so after fork in both processes.
 *
 * usage: ledger SEED OPERATIONS [foreign]   (foreign: see ledger_heap.h)
 */
#define _GNU_SOURCE
#include "ledger_counts.h"
#include "ledger_heap.h"
#include "ledger_maps.h"
#include "ledger_threads.h"

#include <sys/wait.h>

#define WORKERS 8

int leakagent_snapshot(const char *reason) __attribute__((weak));

static pthread_barrier_t round_starts, round_ends;
static bool workers_end;
static unsigned operations;
static uint64_t seed;

NOINLINE static void operate(struct random *random)
{
	for (unsigned i = 0; i < operations; i++) {
		unsigned choice = random_below(random, 1000);

		if (choice < 3)
			thread_operate(random);
		else if (choice < 150)
			map_operate(random);
		else
			heap_operate(random);
	}
}

NOINLINE static void *worker(void *argument)
{
	struct random random = { seed * 1000 + (uintptr_t)argument };

	root = ROOT_WORKER;
	for (;;) {
		pthread_barrier_wait(&round_starts);
		if (workers_end)
			return NULL;
		operate(&random);
		pthread_barrier_wait(&round_ends);
	}
}

static void report(const char *reason)
{
	const char *separator = "";

	printf("{\"reason\": \"%s\", \"pid\": %d, \"stacks\": [\n ", reason,
	       (int)getpid());
	heap_print(&separator);
	map_print(&separator);
	thread_print(&separator);
	puts("]}");
	fflush(stdout);
	if (leakagent_snapshot)
		MUST(!leakagent_snapshot(reason));
}

static void run_round(void)
{
	pthread_barrier_wait(&round_starts);
	pthread_barrier_wait(&round_ends);
}

int main(int argc, char **argv)
{
	pthread_t workers[WORKERS];
	struct random random;
	pid_t child;
	int status;

	if (argc != 3 && argc != 4) {
		fputs("usage: ledger SEED OPERATIONS [foreign]\n", stderr);
		return 2;
	}
	seed = strtoull(argv[1], NULL, 10);
	operations = (unsigned)strtoul(argv[2], NULL, 10);
	heap_foreign = argc == 4;
	random.state = seed * 1000 + 999;
	heap_init();
	/* Where there is an agent, it has these even if libc has not. */
	MUST(!leakagent_snapshot ||
	     (heap_free_sized && heap_free_aligned_sized));
	map_init();
	thread_init();
	pthread_barrier_init(&round_starts, NULL, WORKERS + 1);
	pthread_barrier_init(&round_ends, NULL, WORKERS + 1);
	for (uintptr_t i = 0; i < WORKERS; i++)
		MUST(!pthread_create(&workers[i], NULL, worker,
				     (void *)(i + 1)));
	run_round();
	report("parent-before-fork");

	child = fork();
	MUST(child >= 0);
	if (!child) {
		thread_forget();
		report("child-at-once");
		operate(&random);
		report("child-later");
		_exit(0);
	}
	MUST(waitpid(child, &status, 0) == child && status == 0);
	report("parent-after-fork");
	run_round();
	operate(&random);
	report("parent-later");

	workers_end = true;
	pthread_barrier_wait(&round_starts);
	for (int i = 0; i < WORKERS; i++)
		MUST(!pthread_join(workers[i], NULL));
	return 0;
}
