/* build: -O2 -fomit-frame-pointer */
/*
 * Functions that are called on other stacks, in a way that unwind information
 * tells of: from the thread's own stack to one above it, to one below, and from
 * there to the unused part of the thread's own. Each round the other stacks are
 * taken away and mapped anew: what is kept of them in mind must not be read.
 *
 * usage: stack_switches ROUNDS
 */
#include "tests/programs/stacks.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { STACK_BYTES = 256 * 1024, STACKS = 3, OWN = 1 };

typedef void function(int argument);

/* Calls function(argument) on the stack that ends at `top`. */
void call_on(function *called, int argument, char *top);

__asm__(".text\n"
	".type call_on, @function\n"
	"call_on:\n\t"
	".cfi_startproc\n\t"
	"push %rbp\n\t"
	".cfi_adjust_cfa_offset 8\n\t"
	".cfi_rel_offset %rbp, 0\n\t"
	"mov %rsp, %rbp\n\t"
	".cfi_def_cfa_register %rbp\n\t"
	"mov %rdi, %rax\n\t"
	"mov %esi, %edi\n\t"
	"mov %rdx, %rsp\n\t"
	"call *%rax\n\t"
	"mov %rbp, %rsp\n\t"
	".cfi_def_cfa_register %rsp\n\t"
	"pop %rbp\n\t"
	".cfi_adjust_cfa_offset -8\n\t"
	".cfi_restore %rbp\n\t"
	"ret\n\t"
	".cfi_endproc\n"
	".size call_on, . - call_on\n");

/* Below the thread's own, that one, and above; the own one's from its middle. */
static char *stacks[STACKS];
static int busy[STACKS];
static unsigned turn;

static void map_stack(int number)
{
	if (mmap(stacks[number], STACK_BYTES, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) != stacks[number])
		abort();
}

static void unmap_stack(int number)
{
	if (mmap(stacks[number], STACK_BYTES, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) != stacks[number])
		abort();
}

/* The next free one. */
static int free_stack(void)
{
	for (int i = 0; i < STACKS; i++) {
		int number = (int)((turn + (unsigned)i) % STACKS);

		if (!busy[number])
			return number;
	}
	return -1;
}

NOINLINE static void go_on(int depth)
{
	int number = turn++ % 3 ? -1 : free_stack();

	borrow(20);
	if (depth <= 0)
		return;
	if (number < 0) {
		go_on(depth - 1);
	} else {
		busy[number] = 1;
		call_on(go_on, depth - 1, stacks[number] + STACK_BYTES / 2);
		busy[number] = 0;
	}
	borrow(30);
}

NOINLINE static void switch_leaf(int bytes)
{
	keep((size_t)bytes);
	NO_TAIL_CALL;
}

NOINLINE static void switch_home(int bytes)
{
	call_on(switch_leaf, bytes, stacks[OWN] + STACK_BYTES / 2);
	NO_TAIL_CALL;
}

NOINLINE static void switch_below(int bytes)
{
	call_on(switch_home, bytes, stacks[0] + STACK_BYTES / 2);
	NO_TAIL_CALL;
}

NOINLINE static void switch_above(int bytes)
{
	call_on(switch_home, bytes, stacks[2] + STACK_BYTES / 2);
	NO_TAIL_CALL;
}

static void *run(void *rounds)
{
	for (long i = 0; i < (long)rounds; i++) {
		map_stack(0);
		map_stack(2);
		go_on(12);
		switch_above(10);
		switch_below(20);
		unmap_stack(0);
		unmap_stack(2);
		/* As deep as before, but nothing behind it. */
		busy[0] = busy[2] = 1;
		go_on(12);
		busy[0] = busy[2] = 0;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) : 1;
	pthread_attr_t attributes;
	pthread_t thread;
	char *all = mmap(NULL, STACKS * STACK_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (all == MAP_FAILED)
		return 1;
	for (int i = 0; i < STACKS; i++)
		stacks[i] = all + (size_t)i * STACK_BYTES;
	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, stacks[OWN], STACK_BYTES);
	if (pthread_create(&thread, &attributes, run, (void *)rounds))
		return 1;
	pthread_join(thread, NULL);
	puts("done");
	return 0;
}
