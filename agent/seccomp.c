/* See seccomp.h. */

#define _GNU_SOURCE /* MREMAP_MAYMOVE, AT_*, RENAME_* */

#include "agent/seccomp.h"

#include "agent/quiet.h"
#include "agent/system.h"
#include "agent/unwind.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <unistd.h>

uint32_t la_quiet, la_confined;

struct call {
	enum la_filter_harm harm; /* when it is not let through */
	int number;
	uint64_t arguments[6]; /* those that a filter may look at */
};

enum { ANY_FD = 7, ANY_ADDRESS = 4096, ANY_ID = 4711 };

/* As libc begins one. */
enum {
	NEW_THREAD = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
		     CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
		     CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID
};

static const struct call calls[] = {
	{ LA_HARMS_MEMORY, SYS_mmap,
	  { 0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
	    (uint64_t)-1 } },
	{ LA_HARMS_MEMORY, SYS_munmap, { ANY_ADDRESS, 65536 } },

	{ LA_HARMS_HOOKS, SYS_rt_sigprocmask,
	  { SIG_SETMASK, ANY_ADDRESS, ANY_ADDRESS, sizeof(la_signal_set) } },
	{ LA_HARMS_HOOKS, SYS_rt_sigprocmask,
	  { (uint32_t)~0, ANY_ADDRESS, 0, sizeof(la_signal_set) } },
	{ LA_HARMS_HOOKS, SYS_futex, { ANY_ADDRESS, FUTEX_WAIT } },
	{ LA_HARMS_HOOKS, SYS_futex, { ANY_ADDRESS, FUTEX_WAKE, 1 } },
	{ LA_HARMS_HOOKS, SYS_getpid, { 0 } },
	{ LA_HARMS_HOOKS, SYS_getppid, { 0 } },
	{ LA_HARMS_HOOKS, SYS_getcwd, { ANY_ADDRESS, 4096 } },
	{ LA_HARMS_HOOKS, SYS_tgkill, { ANY_ID, ANY_ID, 0 } },
	{ LA_HARMS_HOOKS, SYS_nanosleep, { ANY_ADDRESS } },

	{ LA_HARMS_THREAD, SYS_openat,
	  { (uint32_t)AT_FDCWD, ANY_ADDRESS, O_RDONLY | O_CLOEXEC } },
	{ LA_HARMS_THREAD, SYS_openat,
	  { (uint32_t)AT_FDCWD, ANY_ADDRESS, O_WRONLY | O_TMPFILE | O_CLOEXEC,
	    0600 } },
	{ LA_HARMS_THREAD, SYS_openat,
	  { ANY_FD, ANY_ADDRESS, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0600 } },
	{ LA_HARMS_THREAD, SYS_read, { ANY_FD, ANY_ADDRESS, 4096 } },
	{ LA_HARMS_THREAD, SYS_write, { ANY_FD, ANY_ADDRESS, 4096 } },
	{ LA_HARMS_THREAD, SYS_close, { ANY_FD } },
	{ LA_HARMS_THREAD, SYS_newfstatat, { ANY_FD, ANY_ADDRESS } },
	{ LA_HARMS_THREAD, SYS_getdents64, { ANY_FD, ANY_ADDRESS, 4096 } },
	{ LA_HARMS_THREAD, SYS_access, { ANY_ADDRESS, F_OK } },
	{ LA_HARMS_THREAD, SYS_linkat,
	  { (uint32_t)AT_FDCWD, ANY_ADDRESS, ANY_FD, ANY_ADDRESS,
	    AT_SYMLINK_FOLLOW } },
	{ LA_HARMS_THREAD, SYS_unlinkat, { ANY_FD, ANY_ADDRESS } },
	{ LA_HARMS_THREAD, SYS_fchmod, { ANY_FD, 0600 } },
	{ LA_HARMS_THREAD, SYS_flock, { ANY_FD, LOCK_EX | LOCK_NB } },
	{ LA_HARMS_THREAD, SYS_renameat2,
	  { ANY_FD, ANY_ADDRESS, ANY_FD, ANY_ADDRESS, RENAME_NOREPLACE } },
	{ LA_HARMS_THREAD, SYS_readlinkat,
	  { ANY_FD, ANY_ADDRESS, ANY_ADDRESS, 4096 } },
	{ LA_HARMS_THREAD, SYS_poll, { ANY_ADDRESS, 1, 0 } },
	{ LA_HARMS_THREAD, SYS_pidfd_open, { ANY_ID, 0 } },
	{ LA_HARMS_THREAD, SYS_pidfd_getfd, { ANY_FD, STDERR_FILENO, 0 } },
	{ LA_HARMS_THREAD, SYS_prctl, { PR_GET_SECCOMP } },
	{ LA_HARMS_THREAD, SYS_gettid, { 0 } },
	{ LA_HARMS_THREAD, SYS_rt_sigaction,
	  { SIGUSR2, 0, ANY_ADDRESS, sizeof(la_signal_set) } },
	{ LA_HARMS_THREAD, SYS_clock_nanosleep, { 0, 0, ANY_ADDRESS } },

	/* clone3 has its flags in memory, where filters cannot look. */
	{ LA_HARMS_NEW, SYS_clone3, { ANY_ADDRESS, 88 } },
	{ LA_HARMS_NEW, SYS_clone, { NEW_THREAD, ANY_ADDRESS } },
	{ LA_HARMS_NEW, SYS_set_robust_list, { ANY_ADDRESS, 24 } },
	{ LA_HARMS_NEW, SYS_rseq, { ANY_ADDRESS, 32 } },
	{ LA_HARMS_NEW, SYS_mprotect,
	  { ANY_ADDRESS, 65536, PROT_READ | PROT_WRITE } },
	{ LA_HARMS_NEW, SYS_prctl, { PR_SET_NAME, ANY_ADDRESS } },
	{ LA_HARMS_NEW, SYS_unshare, { CLONE_FS } },
	{ LA_HARMS_NEW, SYS_chdir, { ANY_ADDRESS } },
	{ LA_HARMS_NEW, SYS_close_range,
	  { 0, (uint32_t)~0, CLOSE_RANGE_UNSHARE } },
	{ LA_HARMS_NEW, SYS_memfd_create, { ANY_ADDRESS, MFD_CLOEXEC } },
	{ LA_HARMS_NEW, SYS_ftruncate, { ANY_FD, 4096 } },
	{ LA_HARMS_NEW, SYS_faccessat,
	  { (uint32_t)AT_FDCWD, ANY_ADDRESS, F_OK } },
};

/* A filter's registers and memory. */
struct machine {
	uint32_t a, x, memory[BPF_MEMWORDS];
};

/* As the kernel does it, which looks at 5 bits of how far to shift. */
static uint32_t calculate(uint16_t code, uint32_t a, uint32_t b)
{
	switch (BPF_OP(code)) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_DIV:
		return a / b;
	case BPF_OR:
		return a | b;
	case BPF_AND:
		return a & b;
	case BPF_XOR:
		return a ^ b;
	case BPF_LSH:
		return a << (b & 31);
	case BPF_RSH:
		return a >> (b & 31);
	default:
		return -a; /* BPF_NEG */
	}
}

static bool divides_by_zero(uint16_t code, uint32_t b)
{
	return BPF_CLASS(code) == BPF_ALU && BPF_OP(code) == BPF_DIV && !b;
}

static bool jumps(uint16_t code, uint32_t a, uint32_t b)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return a == b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	default:
		return a & b; /* BPF_JSET */
	}
}

static uint32_t load(const struct machine *machine,
		     const struct sock_filter *step,
		     const struct seccomp_data *data)
{
	uint32_t word = 0;

	switch (BPF_MODE(step->code)) {
	case BPF_IMM:
		return step->k;
	case BPF_MEM:
		return machine->memory[step->k % BPF_MEMWORDS];
	case BPF_LEN:
		return sizeof(*data);
	default:
		if (step->k <= sizeof(*data) - sizeof(word))
			memcpy(&word, (const char *)data + step->k,
			       sizeof(word));
		return word;
	}
}

/* How far to go on from a step that is none of a jump's or an end's. */
static void take(struct machine *machine, const struct sock_filter *step,
		 const struct seccomp_data *data)
{
	uint32_t operand = BPF_SRC(step->code) == BPF_X ? machine->x : step->k;

	switch (BPF_CLASS(step->code)) {
	case BPF_LD:
		machine->a = load(machine, step, data);
		break;
	case BPF_LDX:
		machine->x = load(machine, step, data);
		break;
	case BPF_ST:
		machine->memory[step->k % BPF_MEMWORDS] = machine->a;
		break;
	case BPF_STX:
		machine->memory[step->k % BPF_MEMWORDS] = machine->x;
		break;
	case BPF_ALU:
		machine->a = calculate(step->code, machine->a, operand);
		break;
	default: /* BPF_MISC */
		if (BPF_MISCOP(step->code) == BPF_TAX)
			machine->x = machine->a;
		else
			machine->a = machine->x;
	}
}

static uint32_t ask(const struct sock_fprog *filter,
		    const struct seccomp_data *data)
{
	struct machine machine = { 0 };
	uint32_t operand;

	/* Jumps only lead on. */
	for (uint64_t at = 0; at < filter->len; at++) {
		const struct sock_filter *step = &filter->filter[at];

		operand = BPF_SRC(step->code) == BPF_X ? machine.x : step->k;
		if (BPF_CLASS(step->code) == BPF_RET)
			return BPF_RVAL(step->code) == BPF_A ? machine.a :
							       step->k;
		if (divides_by_zero(step->code, operand))
			return 0; /* that is where the kernel ends a filter */
		if (BPF_CLASS(step->code) != BPF_JMP)
			take(&machine, step, data);
		else if (BPF_OP(step->code) == BPF_JA)
			at += step->k;
		else
			at += jumps(step->code, machine.a, operand) ? step->jt :
								      step->jf;
	}
	return SECCOMP_RET_ALLOW;
}

static bool harmless(uint32_t answer)
{
	switch (answer & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_ERRNO:
		return true;
	default:
		return false;
	}
}

static bool can_read(const void *from, size_t size)
{
	const uintptr_t page = 4096;
	uintptr_t address = (uintptr_t)from, end;

	if (__builtin_add_overflow(address, size, &end))
		return false;
	for (; address < end; address = (address | (page - 1)) + 1)
		if (!la_unwind_readable(address, ~address))
			return false;
	return true;
}

/* Programs also hand in nonsense, to see what the kernel knows. */
static bool readable(const struct sock_fprog *filter)
{
	if (!filter)
		return false;
	/* To look takes a call that an earlier filter may forbid. */
	if (la_quiet_now())
		return filter->filter;
	return can_read(filter, sizeof(*filter)) && filter->len &&
	       filter->len <= BPF_MAXINSNS &&
	       can_read(filter->filter, filter->len * sizeof(*filter->filter));
}

enum la_filter_harm la_seccomp_harm(const struct sock_fprog *filter)
{
	enum la_filter_harm harm = LA_HARMS_NOTHING;

	if (!readable(filter))
		return harm;
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		struct seccomp_data data = { .nr = calls[i].number,
					     .arch = LA_ARCH_AUDIT };

		for (int a = 0; a < 6; a++)
			data.args[a] = calls[i].arguments[a];
		if (calls[i].harm > harm && !harmless(ask(filter, &data)))
			harm = calls[i].harm;
	}
	return harm;
}
