/*
 * Ends by faults and their signals, with handlers of its own or none.
 *
 * usage: crashes abort      calls abort
 *        crashes report     says so in a handler, on a stack of its own, and ends
 *        crashes overflow   the same when the stack is too deep
 *        crashes again      the handler lets the fault happen once more
 *        crashes return     comes back from the handler by siglongjmp, 1,000
 *                           times, keeps a block each time, and ends normally
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { RETURNS = 1000, BYTES = 50, STACK = 65536,
       MOST_STACK = 8 << 20 };

static sigjmp_buf back;
static const char *how;
static int *volatile nowhere;
void *volatile crashes_blocks[RETURNS];
static char side_stack[STACK];

static void say(const char *text)
{
	if (write(STDOUT_FILENO, text, strlen(text)) < 0)
		_exit(1);
}

static void handle(int number)
{
	(void)number;
	if (!strcmp(how, "return"))
		siglongjmp(back, 1);
	say("crashed\n");
	if (!strcmp(how, "again"))
		return; /* SA_RESETHAND: the next one kills */
	_exit(9);
}

__attribute__((noinline)) static void crashes_keep(int at)
{
	crashes_blocks[at] = malloc(BYTES);
	*nowhere = 1;
}

__attribute__((noinline)) static int sink(int depth)
{
	volatile char room[1000];

	room[0] = (char)depth;
	free(malloc(100));
	return depth < 0 ? 0 : sink(depth + 1) + room[0];
}

static void install(void)
{
	stack_t side = { .ss_sp = side_stack, .ss_size = sizeof(side_stack) };
	struct sigaction action = { .sa_handler = handle,
				    .sa_flags = SA_ONSTACK };

	if (!strcmp(how, "again"))
		action.sa_flags |= (int)SA_RESETHAND;
	sigaltstack(&side, NULL);
	sigaction(SIGSEGV, &action, NULL);
}

/* Or it would be too deep only when all memory is used. */
static void limit_stack(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_STACK, &limit) && limit.rlim_cur > MOST_STACK) {
		limit.rlim_cur = MOST_STACK;
		setrlimit(RLIMIT_STACK, &limit);
	}
}

int main(int argc, char **argv)
{
	const struct rlimit no_core = { 0 };
	static volatile int i;

	how = argc > 1 ? argv[1] : "";
	setrlimit(RLIMIT_CORE, &no_core);
	limit_stack();
	install();
	if (!strcmp(how, "abort"))
		abort();
	if (!strcmp(how, "overflow"))
		return sink(0);
	for (i = 0; i < RETURNS; i++)
		if (!sigsetjmp(back, 1))
			crashes_keep(i);
	printf("came back %d times\n", i);
	return 0;
}
