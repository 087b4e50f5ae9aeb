/*
 * Everything that depends on the processor: raw system calls, the registers
 * that unwinding starts from and follows, running a function on another stack,
 * and the state of floating point. A port writes this file's counterpart and
 * nothing else.
 *
 * System calls are made here and not through libc because errno belongs to the
 * host: these return -errno and leave it alone.
 */
#ifndef LA_ARCH_H
#define LA_ARCH_H

#include <stdint.h>

#if !defined(__x86_64__)
#error "agent/arch.h knows x86_64 only: add the counterpart for this processor"
#endif

/*
 * Stores before it are seen before stores after it: this processor keeps them in
 * order, so only the compiler is told. (ThreadSanitizer knows no fences.)
 */
static inline void la_arch_order_stores(void)
{
	__asm__ volatile("" ::: "memory");
}

static inline long la_arch_syscall(long number, long a, long b, long c, long d,
				   long e, long f)
{
	long result;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10),
			   "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

/*
 * The body of a naked function in front of libc's syscall: the calls `number` and
 * `number2` go to the functions `special` and `special2`, which take the same
 * arguments, the others to the function whose address `table` holds at `offset`,
 * or to `early` while there is none. By jumps, and only registers are touched: a call such as vfork returns
 * twice to whoever made it, and the place of the seventh argument is somebody
 * else's where there are fewer.
 */
#define LA_ARCH_SYSCALL_HOOK(number, special, number2, special2, table,        \
			     offset, early)                                    \
	__asm__ volatile("cmpq %0, %%rdi\n\t"                                  \
			 "je " #special "\n\t"                                 \
			 "cmpq %2, %%rdi\n\t"                                  \
			 "je " #special2 "\n\t"                                \
			 "movq " #table "+%c1(%%rip), %%rax\n\t"               \
			 "testq %%rax, %%rax\n\t"                              \
			 "jz " #early "\n\t"                                   \
			 "jmp *%%rax"                                          \
			 :                                                     \
			 : "i"(number), "i"(offset), "i"(number2))

static inline void la_arch_pause(void)
{
	__builtin_ia32_pause();
}

/*
 * The registers that unwinding follows from frame to frame: where execution
 * is, the stack pointer, and the frame pointer register (rbp), which most
 * unwind rules that do not use the stack pointer are based on.
 */
struct la_registers {
	uintptr_t pc; /* already the address to look up: return address - 1 */
	uintptr_t sp;
	uintptr_t fp;
};

/*
 * The registers of the caller of the function whose frame address (as
 * __builtin_frame_address(0) gives it) is `frame`: that function keeps its
 * caller's frame pointer and return address there.
 */
static inline struct la_registers la_arch_caller(const void *frame)
{
	const uintptr_t *words = frame;

	return (struct la_registers){
		.pc = words[1] - 1,
		.sp = (uintptr_t)(words + 2),
		.fp = words[0],
	};
}

/* How linux/audit.h calls system calls like the ones above. */
#define LA_ARCH_AUDIT AUDIT_ARCH_X86_64

/* Where a function keeps its return address, relative to its CFA. */
#define LA_ARCH_RETURN_ADDRESS_OFFSET (-8)

/*
 * So far below the stack pointer, what was written is still there: functions
 * may use it, so the kernel leaves it out when it delivers a signal. In an
 * epilogue that was interrupted, unwind information may point there.
 */
#define LA_ARCH_RED_ZONE 128

/* Numbers of libunwind for the registers above, and how many it may ask for. */
#define LA_ARCH_UNW_PC 16
#define LA_ARCH_UNW_SP 7
#define LA_ARCH_UNW_FP 6
#define LA_ARCH_UNW_REGISTERS 17

/*
 * The registers of this very place, by libunwind's numbers, into
 * registers[LA_ARCH_UNW_REGISTERS]: those that a function gives back as it got
 * them; the others hold 0.
 */
#define LA_ARCH_PRESERVED(number)                                              \
	((number) == 3 || (number) == LA_ARCH_UNW_FP ||                        \
	 (number) == LA_ARCH_UNW_SP || (number) >= 12)

static inline __attribute__((always_inline)) void
la_arch_context(uint64_t *registers)
{
	for (int i = 0; i < LA_ARCH_UNW_REGISTERS; i++)
		registers[i] = 0;
	__asm__ volatile("movq %%rbx, 24(%[to])\n\t"
			 "movq %%rbp, 48(%[to])\n\t"
			 "movq %%rsp, 56(%[to])\n\t"
			 "movq %%r12, 96(%[to])\n\t"
			 "movq %%r13, 104(%[to])\n\t"
			 "movq %%r14, 112(%[to])\n\t"
			 "movq %%r15, 120(%[to])\n\t"
			 "leaq 0(%%rip), %%rax\n\t"
			 "movq %%rax, 128(%[to])"
			 :
			 : [to] "r"(registers)
			 : "rax", "memory");
}

/*
 * Calls function(argument) on the stack whose highest address is `top`
 * (16-byte aligned).
 */
static inline void la_arch_call_on_stack(void (*function)(void *),
					 void *argument, void *top)
{
	__asm__ volatile("movq %%rsp, %%rbx\n\t"
			 "movq %[top], %%rsp\n\t"
			 "call *%[function]\n\t"
			 "movq %%rbx, %%rsp"
			 : "+D"(argument)
			 : [top] "r"(top), [function] "r"(function)
			 : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10",
			   "r11", "memory", "cc", "xmm0", "xmm1", "xmm2",
			   "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
			   "xmm15", "st", "st(1)", "st(2)", "st(3)", "st(4)",
			   "st(5)", "st(6)", "st(7)");
}

/* Floating point as programs begin with it: rounding to nearest, no traps. */
static inline void la_arch_plain_floats(void)
{
	const uint32_t plain = 0x1f80;

	__asm__ volatile("ldmxcsr %0" : : "m"(plain) : "memory");
}

/*
 * Calls function(argument), which calculates with floating point, on a host's
 * thread: the host may have asked for traps or other rounding, and may look at
 * the flags afterwards.
 */
static inline void la_arch_calculate(void (*function)(void *), void *argument)
{
	uint32_t hosts;

	__asm__ volatile("stmxcsr %0" : "=m"(hosts) : : "memory");
	la_arch_plain_floats();
	/* Opaque, so that none of it is moved out from in between. */
	__asm__ volatile("" : "+r"(function) : : "memory");
	function(argument);
	__asm__ volatile("ldmxcsr %0" : : "m"(hosts) : "memory");
}

/*
 * Whether valgrind runs the program: it takes these instructions, which do
 * nothing, for a question (valgrind.h, RUNNING_ON_VALGRIND).
 */
static inline int la_arch_under_valgrind(void)
{
	const volatile uint64_t question[6] = { 0x1001 };
	uint64_t answer = 0;

	__asm__ volatile("rolq $3, %%rdi\n\t"
			 "rolq $13, %%rdi\n\t"
			 "rolq $61, %%rdi\n\t"
			 "rolq $51, %%rdi\n\t"
			 "xchgq %%rbx, %%rbx"
			 : "+d"(answer)
			 : "a"(question)
			 : "cc", "memory");
	return answer != 0;
}

/* As in libm, which is not there to be linked with. */
static inline double la_arch_square_root(double number)
{
	__asm__("sqrtsd %0, %0" : "+x"(number));
	return number;
}

#endif
