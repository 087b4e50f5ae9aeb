/*
 * A signal handler allocates while the very first instruction of a function is
 * interrupted: pc - 1 would belong to the function before it.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <ucontext.h>

void *interrupted_block;
void function_before(void);
void interrupted_here(void);

/* ud2 is an interruption that happens where it stands. */
__asm__(".text\n"
	".globl function_before\n"
	".type function_before, @function\n"
	"function_before:\n"
	"	.cfi_startproc\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size function_before, .-function_before\n"
	".globl interrupted_here\n"
	".type interrupted_here, @function\n"
	"interrupted_here:\n"
	"	.cfi_startproc\n"
	"	ud2\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size interrupted_here, .-interrupted_here\n");

__attribute__((noinline)) static void handle(int number, siginfo_t *info,
					     void *context)
{
	ucontext_t *interrupted = context;

	(void)number;
	(void)info;
	interrupted_block = malloc(777);
	if (!interrupted_block)
		abort();
	interrupted->uc_mcontext.gregs[REG_RIP] += 2;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handle,
				    .sa_flags = SA_SIGINFO };

	sigaction(SIGILL, &action, NULL);
	function_before();
	interrupted_here();
	return 0;
}
