/*
 * A snapshot before each instruction of an allocation: the processor stops after
 * every one (the trap flag), and another thread asks for a snapshot then. What a
 * thread has done when it loses its core is what the snapshot finds.
 *
 * Prints how many snapshots there were; needs an agent.
 */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { WARM_UP = 8, SIZE = 48, TRAP_FLAG = 0x100 };

int leakagent_snapshot(const char *reason) __attribute__((weak));

static sem_t stopped, go_on;
static volatile bool over;
static unsigned taken;

static void must(bool true_here)
{
	if (!true_here)
		abort();
}

static void *take(void *argument)
{
	for (;;) {
		must(!sem_wait(&stopped));
		if (over)
			return argument;
		must(!leakagent_snapshot("step"));
		taken++;
		must(!sem_post(&go_on));
	}
}

static void on_trap(int signal)
{
	(void)signal;
	must(!sem_post(&stopped));
	must(!sem_wait(&go_on));
}

/* Into the processor's flags, and out of them. */
static inline void add_flags(unsigned long flags)
{
	__asm__ volatile("pushfq\n\torq %0, (%%rsp)\n\tpopfq" ::"r"(flags)
			 : "memory", "cc");
}

static inline void remove_flags(unsigned long flags)
{
	__asm__ volatile("pushfq\n\tandq %0, (%%rsp)\n\tpopfq" ::"r"(~flags)
			 : "memory", "cc");
}

/*
 * One call for all: the agent knows its stack when it matters, and does not mask
 * signals, which the processor would not wait for.
 */
static __attribute__((noinline)) void *allocate(unsigned long flags)
{
	void *block;

	add_flags(flags);
	block = malloc(SIZE);
	remove_flags(flags);
	return block;
}

int main(void)
{
	void *blocks[WARM_UP + 1];
	pthread_t thread;

	must(leakagent_snapshot != NULL);
	must(!sem_init(&stopped, 0, 0) && !sem_init(&go_on, 0, 0));
	must(signal(SIGTRAP, on_trap) != SIG_ERR);
	must(!pthread_create(&thread, NULL, take, NULL));
	for (int i = 0; i <= WARM_UP; i++) {
		blocks[i] = allocate(i == WARM_UP ? TRAP_FLAG : 0);
		must(blocks[i] != NULL);
	}
	over = true;
	must(!sem_post(&stopped));
	must(!pthread_join(thread, NULL));
	for (int i = 0; i <= WARM_UP; i++)
		free(blocks[i]);
	printf("%u\n", taken);
}
