/* build: -O2 -fomit-frame-pointer */
/*
 * Functions written in assembly. Without unwind information: one that keeps a
 * frame pointer, and one that does not. With it, but of kinds that compilers do
 * not make: the caller's frame is found through rbx, through a word at the top
 * of the stack, or through an expression; registers are saved in others.
 *
 * usage: frames_asm ROUNDS
 */
#include "tests/programs/stacks.h"

#include <stdio.h>
#include <stdlib.h>

typedef void callback(void);

/* Each calls its argument. */
void asm_with_fp(callback *call);
void asm_without_fp(callback *call);
void asm_cfa_rbx(callback *call);
void asm_cfa_r12(callback *call);
void asm_cfa_slot(callback *call);
void asm_cfa_expression(callback *call);
void asm_saved_in_register(callback *call);

__asm__(".text\n"
	".type asm_with_fp, @function\n"
	"asm_with_fp:\n\t"
	"push %rbp\n\t"
	"mov %rsp, %rbp\n\t"
	"sub $48, %rsp\n\t"
	"call *%rdi\n\t"
	"leave\n\t"
	"ret\n"
	".size asm_with_fp, . - asm_with_fp\n"

	".type asm_without_fp, @function\n"
	"asm_without_fp:\n\t"
	"sub $24, %rsp\n\t"
	"call *%rdi\n\t"
	"add $24, %rsp\n\t"
	"ret\n"
	".size asm_without_fp, . - asm_without_fp\n"

	/* As the loader's trampoline for lazy binding. */
	".type asm_cfa_rbx, @function\n"
	"asm_cfa_rbx:\n\t"
	".cfi_startproc\n\t"
	"push %rbx\n\t"
	".cfi_adjust_cfa_offset 8\n\t"
	".cfi_rel_offset %rbx, 0\n\t"
	"mov %rsp, %rbx\n\t"
	".cfi_def_cfa_register %rbx\n\t"
	"and $-64, %rsp\n\t"
	"sub $128, %rsp\n\t"
	"call *%rdi\n\t"
	"mov %rbx, %rsp\n\t"
	".cfi_def_cfa_register %rsp\n\t"
	"pop %rbx\n\t"
	".cfi_adjust_cfa_offset -8\n\t"
	".cfi_restore %rbx\n\t"
	"ret\n\t"
	".cfi_endproc\n"
	".size asm_cfa_rbx, . - asm_cfa_rbx\n"

	".type asm_cfa_r12, @function\n"
	"asm_cfa_r12:\n\t"
	".cfi_startproc\n\t"
	"push %r12\n\t"
	".cfi_adjust_cfa_offset 8\n\t"
	".cfi_rel_offset %r12, 0\n\t"
	"push %rbp\n\t"
	".cfi_adjust_cfa_offset 8\n\t"
	".cfi_rel_offset %rbp, 0\n\t"
	"lea 8(%rsp), %r12\n\t"
	".cfi_def_cfa %r12, 16\n\t"
	"xor %ebp, %ebp\n\t"
	"and $-32, %rsp\n\t"
	"call *%rdi\n\t"
	"lea -8(%r12), %rsp\n\t"
	".cfi_def_cfa %rsp, 24\n\t"
	"pop %rbp\n\t"
	".cfi_adjust_cfa_offset -8\n\t"
	".cfi_restore %rbp\n\t"
	"pop %r12\n\t"
	".cfi_adjust_cfa_offset -8\n\t"
	".cfi_restore %r12\n\t"
	"ret\n\t"
	".cfi_endproc\n"
	".size asm_cfa_r12, . - asm_cfa_r12\n"

	/* As OpenSSL's: CFA = *(rsp + 16) + 8, where the old rsp was put. */
	".type asm_cfa_slot, @function\n"
	"asm_cfa_slot:\n\t"
	".cfi_startproc\n\t"
	"mov %rsp, %rax\n\t"
	".cfi_def_cfa_register %rax\n\t"
	"sub $40, %rsp\n\t"
	"and $-64, %rsp\n\t"
	"mov %rax, 16(%rsp)\n\t"
	".cfi_escape 0x0f, 0x05, 0x77, 0x10, 0x06, 0x23, 0x08\n\t"
	"call *%rdi\n\t"
	"mov 16(%rsp), %rsp\n\t"
	".cfi_def_cfa %rsp, 8\n\t"
	"ret\n\t"
	".cfi_endproc\n"
	".size asm_cfa_slot, . - asm_cfa_slot\n"

	/* CFA = rsp + (2 << 4); rbp saved at CFA - 24, also by an expression. */
	".type asm_cfa_expression, @function\n"
	"asm_cfa_expression:\n\t"
	".cfi_startproc\n\t"
	"sub $24, %rsp\n\t"
	".cfi_adjust_cfa_offset 24\n\t"
	"mov %rbp, 8(%rsp)\n\t"
	".cfi_escape 0x10, 0x06, 0x02, 0x77, 0x08\n\t"
	".cfi_escape 0x0f, 0x06, 0x77, 0x00, 0x32, 0x34, 0x24, 0x22\n\t"
	"mov $1, %ebp\n\t"
	"call *%rdi\n\t"
	"mov 8(%rsp), %rbp\n\t"
	".cfi_restore %rbp\n\t"
	"add $24, %rsp\n\t"
	".cfi_def_cfa %rsp, 8\n\t"
	"ret\n\t"
	".cfi_endproc\n"
	".size asm_cfa_expression, . - asm_cfa_expression\n"

	/* rbp is kept in r13, whose own value is on the stack. */
	".type asm_saved_in_register, @function\n"
	"asm_saved_in_register:\n\t"
	".cfi_startproc\n\t"
	"push %r13\n\t"
	".cfi_adjust_cfa_offset 8\n\t"
	"mov %rbp, %r13\n\t"
	".cfi_register %rbp, %r13\n\t"
	"mov $1, %ebp\n\t"
	"call *%rdi\n\t"
	"mov %r13, %rbp\n\t"
	".cfi_restore %rbp\n\t"
	"pop %r13\n\t"
	".cfi_adjust_cfa_offset -8\n\t"
	"ret\n\t"
	".cfi_endproc\n"
	".size asm_saved_in_register, . - asm_saved_in_register\n");

static void (*const functions[])(callback *) = {
	asm_with_fp,  asm_cfa_rbx,	  asm_cfa_r12,
	asm_cfa_slot, asm_cfa_expression, asm_saved_in_register,
};

enum { FUNCTIONS = sizeof(functions) / sizeof(functions[0]) };

static unsigned turn;
static int depth;

NOINLINE static void asm_leaf(void)
{
	keep(10);
	NO_TAIL_CALL;
}

/* Its stack has a frame pointer at every frame, as a guess needs. */
NOINLINE static void asm_go_on(void)
{
	FRAME_POINTER;
	borrow(20);
	if (depth-- > 0)
		functions[turn++ * 5 % FUNCTIONS](asm_go_on);
	borrow(30);
}

#define KNOWN(name)                                                            \
	NOINLINE static void name##_caller(void)                               \
	{                                                                      \
		name(asm_leaf);                                                \
		NO_TAIL_CALL;                                                  \
	}

KNOWN(asm_with_fp)
KNOWN(asm_without_fp)
KNOWN(asm_cfa_rbx)
KNOWN(asm_cfa_r12)
KNOWN(asm_cfa_slot)
KNOWN(asm_cfa_expression)
KNOWN(asm_saved_in_register)

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 1;

	for (int i = 0; i < rounds; i++) {
		depth = i % 10;
		asm_go_on();
		asm_with_fp_caller();
		asm_without_fp_caller();
		asm_cfa_rbx_caller();
		asm_cfa_r12_caller();
		asm_cfa_slot_caller();
		asm_cfa_expression_caller();
		asm_saved_in_register_caller();
	}
	puts("done");
	return 0;
}
