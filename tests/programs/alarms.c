/* build: -O2 -lm */
/*
 * A timer interrupts a program that computes, in its own functions and in
 * libc's, and the handler allocates: in prologues, in epilogues, in assembly,
 * on the stack or on one of its own, and again while it runs. The program
 * allocates, too, but then the handler does not: malloc may be interrupted, but
 * not called then.
 *
 * usage: alarms ALARMS   (or more rounds, however few alarms leave room for)
 */
#include "tests/programs/stacks.h"

#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

enum { ROUNDS = 1000 };

static volatile sig_atomic_t in_malloc, left;
static volatile double sink;
static char side_stack[64 * 1024] __attribute__((aligned(16)));

NOINLINE static void alarm_work(int depth)
{
	char room[24 * 3];

	USED(room);
	borrow(30);
	if (depth > 0)
		alarm_work(depth - 1);
	USED(room);
}

static void compute(unsigned round);

static void handle(int number)
{
	(void)number;
	if (in_malloc || left <= 0)
		return;
	left--;
	in_malloc = 1;
	keep(10);
	alarm_work(left % 5);
	in_malloc = 0;
	/* The other signal may come in here. */
	compute((unsigned)left);
}

NOINLINE static void allocate(void)
{
	in_malloc = 1;
	alarm_work(2);
	in_malloc = 0;
}

NOINLINE static int many_arguments(int a, int b, int c, int d, int e, int f,
				   int g, int h)
{
	volatile int sum = a + b + c;

	return sum + d + e + f + g + h;
}

static int by_value(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

NOINLINE static void compute(unsigned round)
{
	static int numbers[200];
	char text[200], copy[200];

	for (unsigned i = 0; i < 200; i++)
		numbers[i] = (int)(i * 7919 * round % 1000);
	qsort(numbers, 200, sizeof(numbers[0]), by_value);
	memset(text, 'a' + (int)(round % 26), sizeof(text) - 1);
	text[199] = '\0';
	memcpy(copy, text, strlen(text) + 1);
	sink = strcmp(text, copy) + sin(round) + pow(round, 0.3) +
	       (double)strtol("12345", NULL, 10) +
	       many_arguments(1, 2, 3, 4, 5, 6, 7, (int)round);
}

static void set_timer(int which, int microseconds)
{
	struct itimerval timer = { { 0, microseconds }, { 0, microseconds } };

	setitimer(which, &timer, NULL);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = handle,
				    .sa_flags = SA_RESTART };
	stack_t side = { .ss_sp = side_stack, .ss_size = sizeof(side_stack) };

	left = argc > 1 ? atoi(argv[1]) : 1;
	sigaltstack(&side, NULL);
	sigaction(SIGALRM, &action, NULL);
	action.sa_flags |= SA_ONSTACK;
	sigaction(SIGPROF, &action, NULL);
	set_timer(ITIMER_REAL, 397);
	set_timer(ITIMER_PROF, 4003);
	for (unsigned round = 0; left > 0 || round < ROUNDS; round++) {
		compute(round);
		allocate();
	}
	set_timer(ITIMER_REAL, 0);
	set_timer(ITIMER_PROF, 0);
	puts("done");
	return 0;
}
