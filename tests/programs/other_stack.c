/*
 * Calls a function on another stack, by assembly that unwind information knows
 * nothing of, as coroutine libraries do. Right above that stack nothing can be
 * read.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { BYTES = 65536, GUARD = 4096 };

__attribute__((noinline)) static void allocate(void)
{
	for (int i = 0; i < 100; i++) {
		void *volatile block = malloc(77);

		free(block);
	}
}

__attribute__((noinline)) static void call_on_stack(void (*function)(void),
						    char *top)
{
	__asm__ volatile("mov %%rsp, %%rbx\n\t"
			 "mov %%rsi, %%rsp\n\t"
			 "call *%%rdi\n\t"
			 "mov %%rbx, %%rsp"
			 : "+D"(function), "+S"(top)
			 :
			 : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11",
			   "memory", "cc");
}

int main(void)
{
	char *stack = mmap(NULL, BYTES + GUARD, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (stack == MAP_FAILED || mprotect(stack + BYTES, GUARD, PROT_NONE))
		return 1;
	allocate();
	call_on_stack(allocate, stack + BYTES);
	allocate();
	puts("done");
	return 0;
}
