/*
 * Forks with handlers of its own around it, which block signals meanwhile, raise
 * one that another handler takes, and look at what was blocked before. Prints
 * what is so, in the parent and in the child.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((weak)) int leakagent_snapshot(const char *reason);

static sigset_t before;
static int blocked_before;
static volatile sig_atomic_t taken;

static void take(int number)
{
	(void)number;
	taken++;
}

static void prepare(void)
{
	sigset_t everything;

	raise(SIGUSR1);
	/* Where the agent is told that it has to refuse. */
	if (leakagent_snapshot)
		leakagent_snapshot("prepare");
	sigfillset(&everything);
	sigprocmask(SIG_SETMASK, &everything, &before);
	blocked_before = sigismember(&before, SIGUSR1);
	free(malloc(1000));
}

static void restore(void)
{
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static void tell(const char *who)
{
	sigset_t now;

	sigprocmask(SIG_SETMASK, NULL, &now);
	printf("%s: taken %d, blocked %d, now %d\n", who, (int)taken,
	       blocked_before, sigismember(&now, SIGUSR1));
	fflush(stdout);
}

int main(void)
{
	signal(SIGUSR1, take);
	pthread_atfork(prepare, restore, restore);
	for (int i = 0; i < 3; i++) {
		pid_t child = fork();

		if (!child) {
			tell("child");
			exit(0);
		}
		waitpid(child, NULL, 0);
		tell("parent");
	}
	return 0;
}
