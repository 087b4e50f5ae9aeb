/* build: -O2 -fomit-frame-pointer */
/*
 * Functions that call back from stack frames of all manners, for the unit test
 * of unwinding: see struct caller.
 */
#define _GNU_SOURCE
#include "tests/programs/libcallers.h"

#include <alloca.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define NOINLINE __attribute__((noinline))
#define KEEP(x) __asm__ volatile("" : : "r"(x) : "memory")

/* So that a call is never the last thing that a function does. */
#define NO_TAIL_CALL __asm__ volatile("" : : : "memory")

static NOINLINE void plain(callback *call)
{
	call();
	NO_TAIL_CALL;
}

static NOINLINE void large_frame(callback *call)
{
	char room[100000];

	KEEP(room);
	call();
	KEEP(room);
}

static unsigned sizes;

static NOINLINE void with_alloca(callback *call)
{
	char *room = alloca(16 + sizes++ * 40 % 1000);

	KEEP(room);
	call();
	KEEP(room);
}

static NOINLINE void with_array(callback *call)
{
	char room[16 + sizes++ * 24 % 500];

	KEEP(room);
	call();
	KEEP(room);
}

static NOINLINE void realigned(callback *call)
{
	char room[64] __attribute__((aligned(64)));

	KEEP(room);
	call();
	KEEP(room);
}

/* Reaches its arguments, and so its caller's frame, through the realignment. */
static NOINLINE int realigned_with_arguments(callback *call, int a, int b,
					     int c, int d, int e, int f, int g)
{
	char room[64] __attribute__((aligned(64)));
	char *more = alloca(16 + sizes++ * 40 % 1000);

	KEEP(room);
	KEEP(more);
	call();
	KEEP(room);
	return a + b + c + d + e + f + g;
}

static NOINLINE void realigned_twice(callback *call)
{
	int sum = realigned_with_arguments(call, 1, 2, 3, 4, 5, 6, 7);

	KEEP(sum);
}

/* Asking for its address gives a function a frame pointer. */
static NOINLINE void with_frame_pointer(callback *call)
{
	void *frame = __builtin_frame_address(0);

	KEEP(frame);
	call();
	NO_TAIL_CALL;
}

/* rbp holds a number, and its callers' frames must be found all the same. */
static NOINLINE void other_use_of_rbp(callback *call)
{
	register long number __asm__("rbp") = 0x1111222233334448;

	__asm__ volatile("" : "+r"(number));
	call();
	__asm__ volatile("" : "+r"(number));
}

static NOINLINE int recurse(callback *call, int depth)
{
	if (depth > 0)
		return recurse(call, depth - 1) + 1;
	call();
	return 0;
}

static NOINLINE void recursion(callback *call)
{
	int depth = recurse(call, 1 + (int)(sizes++ % 7));

	KEEP((long)depth);
}

static NOINLINE void deep_recursion(callback *call)
{
	int depth = recurse(call, 90 + (int)(sizes++ % 150));

	KEEP((long)depth);
}

/* ---- through others ---- */

/* Who is to be called by those whose arguments are not ours. */
static callback *pending;

static NOINLINE int compare(const void *a, const void *b)
{
	callback *call = pending;

	pending = NULL;
	if (call)
		call();
	return *(const int *)a - *(const int *)b;
}

static NOINLINE void through_qsort(callback *call)
{
	int numbers[] = { 3, 1, 2, 5, 4 };

	pending = call;
	qsort(numbers, 5, sizeof(numbers[0]), compare);
	KEEP(numbers);
}

static void handler(int number)
{
	callback *call = pending;

	(void)number;
	pending = NULL;
	if (call)
		call();
}

static void raise_with(callback *call, int number, int flags)
{
	struct sigaction action = { .sa_handler = handler,
				    .sa_flags = flags | SA_NODEFER };

	sigaction(number, &action, NULL);
	pending = call;
	raise(number);
}

static NOINLINE void in_handler(callback *call)
{
	raise_with(call, SIGUSR1, 0);
	NO_TAIL_CALL;
}

/* ---- on another stack ---- */

enum { SIDE_STACK = 1 << 20 };

static void *new_stack(void)
{
	return mmap(NULL, SIDE_STACK, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Refused where the caller is on such a stack already: it is used, then. */
static NOINLINE void in_handler_elsewhere(callback *call)
{
	stack_t stack = { .ss_sp = new_stack(), .ss_size = SIDE_STACK };
	stack_t before;
	int refused = sigaltstack(&stack, &before);

	raise_with(call, SIGUSR2, SA_ONSTACK);
	if (!refused)
		sigaltstack(&before, NULL);
	munmap(stack.ss_sp, SIDE_STACK);
}

static void coroutine(void)
{
	callback *call = pending;

	pending = NULL;
	call();
	NO_TAIL_CALL;
}

static NOINLINE void in_coroutine(callback *call)
{
	ucontext_t side, back;
	void *stack = new_stack();

	getcontext(&side);
	side.uc_stack.ss_sp = stack;
	side.uc_stack.ss_size = SIDE_STACK;
	side.uc_link = &back;
	makecontext(&side, coroutine, 0);
	pending = call;
	swapcontext(&back, &side);
	munmap(stack, SIDE_STACK);
}

/* ---- a call that does not come back ---- */

static NOINLINE __attribute__((noreturn)) void leave(callback *call,
						     jmp_buf *back)
{
	call();
	longjmp(*back, 1);
}

/* Its last instruction is the call: what it would return to is not its own. */
static NOINLINE __attribute__((noreturn)) void never_return(callback *call,
							    jmp_buf *back)
{
	leave(call, back);
}

static NOINLINE void no_return(callback *call)
{
	jmp_buf back;

	if (!setjmp(back))
		never_return(call, &back);
}

/* ---- code without a file ---- */

/* void code(callback *call, int depth), which recurses with frame pointers. */
static const unsigned char jit_code[] = {
	0x55,			      /* push %rbp */
	0x48, 0x89, 0xe5,	      /* mov %rsp, %rbp */
	0x85, 0xf6,		      /* test %esi, %esi */
	0x74, 0x09,		      /* je 1f */
	0xff, 0xce,		      /* dec %esi */
	0xe8, 0xf1, 0xff, 0xff, 0xff, /* call itself */
	0x5d, 0xc3,		      /* pop %rbp; ret */
	0xff, 0xd7,		      /* 1: call *%rdi */
	0x5d, 0xc3,		      /* pop %rbp; ret */
};

static void jit(callback *call, int depth)
{
	static void (*code)(callback *, int);

	if (!code) {
		void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		memcpy(page, jit_code, sizeof(jit_code));
		mprotect(page, 4096, PROT_READ | PROT_EXEC);
		memcpy(&code, &page, sizeof(code));
	}
	code(call, depth);
	NO_TAIL_CALL;
}

static NOINLINE void in_jit(callback *call)
{
	jit(call, 2);
	NO_TAIL_CALL;
}

static NOINLINE void deep_in_jit(callback *call)
{
	jit(call, 300 + (int)(sizes++ % 300));
	NO_TAIL_CALL;
}

const struct caller callers[] = {
	{ "plain", plain, 0 },
	{ "large_frame", large_frame, 0 },
	{ "with_alloca", with_alloca, 0 },
	{ "with_array", with_array, 0 },
	{ "realigned", realigned, 0 },
	{ "realigned_twice", realigned_twice, 0 },
	{ "with_frame_pointer", with_frame_pointer, 0 },
	{ "other_use_of_rbp", other_use_of_rbp, 0 },
	{ "recursion", recursion, 0 },
	{ "through_qsort", through_qsort, 0 },
	{ "in_handler", in_handler, 0 },
	{ "in_handler_elsewhere", in_handler_elsewhere, 0 },
	{ "no_return", no_return, 0 },
	{ "in_coroutine", in_coroutine, CALLER_ALONE },
	{ "in_jit", in_jit, 0 },
	{ "deep_recursion", deep_recursion, CALLER_DEEP },
	{ "deep_in_jit", deep_in_jit, CALLER_DEEP },
	{ NULL, NULL, 0 },
};
