/* build: -O2 */
/*
 * Many coroutines (makecontext, swapcontext), on stacks from malloc and from
 * mmap, resumed in random order on several threads, that allocate at depths of
 * their own. Some end, and others begin on their stacks.
 *
 * usage: coroutines SWITCHES
 */
#include "tests/programs/stacks.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { THREADS = 3, COROUTINES = 40, STACK_BYTES = 64 * 1024 };

struct coroutine {
	ucontext_t context;
	ucontext_t *back; /* whoever resumed it */
	char *stack;
	uint64_t state;
	int alive;
};

static __thread struct coroutine *running;
static long switches;

static unsigned random_below(uint64_t *state, unsigned limit)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (unsigned)(*state >> 20) % limit;
}

NOINLINE static void co_yield(void)
{
	struct coroutine *self = running;

	swapcontext(&self->context, self->back);
}

/* Goes on where it was, perhaps with others' captures in between. */
NOINLINE static void co_work(int depth)
{
	char room[100];

	USED(room);
	borrow(50);
	if (random_below(&running->state, 3) == 0)
		co_yield();
	if (depth > 0)
		co_work(depth - 1);
	borrow(60);
	USED(room);
}

NOINLINE static void co_body(void)
{
	keep(10);
	while (random_below(&running->state, 8))
		co_work((int)random_below(&running->state, 12));
	running->alive = 0;
	co_yield();
	abort();
}

static void begin(struct coroutine *coroutine)
{
	getcontext(&coroutine->context);
	coroutine->context.uc_stack.ss_sp = coroutine->stack;
	coroutine->context.uc_stack.ss_size = STACK_BYTES;
	coroutine->context.uc_link = NULL;
	makecontext(&coroutine->context, co_body, 0);
	coroutine->alive = 1;
}

NOINLINE static void resume(struct coroutine *coroutine)
{
	ucontext_t here;

	if (!coroutine->alive)
		begin(coroutine);
	coroutine->back = &here;
	running = coroutine;
	swapcontext(&here, &coroutine->context);
	running = NULL;
}

static char *new_stack(int number)
{
	char *stack;

	if (number % 2)
		return malloc(STACK_BYTES);
	stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return stack == MAP_FAILED ? NULL : stack;
}

static void *run_all(void *argument)
{
	struct coroutine *all = calloc(COROUTINES, sizeof(*all));
	uint64_t state = (uintptr_t)argument * 7919 + 1;

	if (!all)
		abort();
	for (int i = 0; i < COROUTINES; i++) {
		all[i].stack = new_stack(i);
		all[i].state = state + (uint64_t)i * 104729;
		if (!all[i].stack)
			abort();
	}
	for (long i = 0; i < switches; i++) {
		resume(&all[random_below(&state, COROUTINES)]);
		borrow(70);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];

	switches = argc > 1 ? atol(argv[1]) : 1;
	for (uintptr_t i = 1; i < THREADS; i++)
		pthread_create(&threads[i], NULL, run_all, (void *)i);
	run_all(NULL);
	for (int i = 1; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	puts("done");
	return 0;
}
