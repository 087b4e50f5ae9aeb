/*
 * Code that belongs to no file: two generated functions, one of which calls
 * the other, which calls allocate(), which keeps 4321 bytes.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *jit_block;

__attribute__((noinline)) static void allocate(void)
{
	jit_block = malloc(4321);
	if (!jit_block)
		abort();
}

/* push rbp; mov rbp, rsp; mov rax, target; call rax; pop rbp; ret */
static void generate(unsigned char *code, void (*target)(void))
{
	memcpy(code, "\x55\x48\x89\xe5\x48\xb8", 6);
	memcpy(code + 6, &target, 8);
	memcpy(code + 14, "\xff\xd0\x5d\xc3", 4);
}

int main(void)
{
	unsigned char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void (*outer)(void);

	if (code == MAP_FAILED)
		return 1;
	generate(code, allocate);
	memcpy(&outer, &code, sizeof(outer));
	generate(code + 64, outer);
	if (mprotect(code, 4096, PROT_READ | PROT_EXEC))
		return 1;
	code += 64;
	memcpy(&outer, &code, sizeof(outer));
	outer();
	return 0;
}
