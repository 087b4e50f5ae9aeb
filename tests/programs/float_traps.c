/* build: -O1 -lm */
/*
 * Has every floating-point exception trapped, inexact results too, and rounds
 * upwards; allocates, forks, and takes snapshots in parent and child. Fails if
 * its floating-point environment has changed.
 */
#define _GNU_SOURCE
#include <fenv.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int leakagent_snapshot(const char *reason) __attribute__((weak));

enum { BLOCKS = 400 * 1000 };

static void *blocks[BLOCKS];

static void work(const char *reason)
{
	for (unsigned i = 0; i < BLOCKS; i++) {
		free(blocks[i]);
		blocks[i] = malloc(300 + i % 1000);
		if (!blocks[i])
			abort();
	}
	if (leakagent_snapshot && leakagent_snapshot(reason))
		abort();
	if (fegetexcept() != FE_ALL_EXCEPT || fegetround() != FE_UPWARD ||
	    fetestexcept(FE_ALL_EXCEPT))
		_exit(1);
}

int main(void)
{
	int status = 0;
	pid_t child;

	feclearexcept(FE_ALL_EXCEPT);
	fesetround(FE_UPWARD);
	if (feenableexcept(FE_ALL_EXCEPT) < 0)
		return 2;
	work("parent");
	child = fork();
	if (!child) {
		work("child");
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status)
		return 3;
	return 0;
}
