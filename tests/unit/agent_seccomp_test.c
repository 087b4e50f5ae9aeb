/* What filters of system calls would do to the agent's. */
#include "agent/quiet.h"
#include "agent/seccomp.h"
#include "tests/support/agent_check.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NUMBER                                                                 \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define ARGUMENT(n)                                                            \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS,                                     \
		 offsetof(struct seccomp_data, args[n]))
#define IF(condition, operand, yes, no)                                        \
	BPF_JUMP(BPF_JMP | condition | BPF_K, operand, yes, no)
#define ANSWER(action) BPF_STMT(BPF_RET | BPF_K, action)

#define HARM(...)                                                              \
	({                                                                     \
		struct sock_filter steps_[] = { __VA_ARGS__ };                 \
		const struct sock_fprog filter_ = {                            \
			sizeof(steps_) / sizeof(*steps_), steps_               \
		};                                                             \
		la_seccomp_harm(&filter_);                                     \
	})

#define HARM_OF(number, action)                                                \
	HARM(NUMBER, IF(BPF_JEQ, number, 0, 1), ANSWER(action),                \
	     ANSWER(SECCOMP_RET_ALLOW))

static void test_what_is_harmed(void **state)
{
	(void)state;
	const unsigned kill = SECCOMP_RET_KILL_PROCESS;

	assert_int_equal(HARM_OF(SYS_execve, kill), LA_HARMS_NOTHING);
	assert_int_equal(HARM_OF(SYS_close_range, kill), LA_HARMS_NEW);
	assert_int_equal(HARM_OF(SYS_openat, kill), LA_HARMS_THREAD);
	assert_int_equal(HARM_OF(SYS_linkat, kill), LA_HARMS_THREAD);
	assert_int_equal(HARM_OF(SYS_futex, kill), LA_HARMS_HOOKS);
	assert_int_equal(HARM_OF(SYS_rt_sigprocmask, kill), LA_HARMS_HOOKS);
	assert_int_equal(HARM_OF(SYS_mmap, kill), LA_HARMS_MEMORY);
	assert_int_equal(HARM(ANSWER(kill)), LA_HARMS_MEMORY);
}

static void test_which_answers_harm(void **state)
{
	(void)state;
	assert_int_equal(HARM_OF(SYS_mmap, SECCOMP_RET_ERRNO | EPERM),
			 LA_HARMS_NOTHING);
	assert_int_equal(HARM_OF(SYS_mmap, SECCOMP_RET_LOG), LA_HARMS_NOTHING);
	assert_int_equal(HARM_OF(SYS_mmap, SECCOMP_RET_KILL_THREAD),
			 LA_HARMS_MEMORY);
	assert_int_equal(HARM_OF(SYS_mmap, SECCOMP_RET_TRAP), LA_HARMS_MEMORY);
	assert_int_equal(HARM_OF(SYS_mmap, SECCOMP_RET_TRACE), LA_HARMS_MEMORY);
	assert_int_equal(HARM_OF(SYS_mmap, SECCOMP_RET_USER_NOTIF),
			 LA_HARMS_MEMORY);
}

/* No new code is the usual reason to look at what mmap is asked for. */
static void test_arguments_count(void **state)
{
	(void)state;
	assert_int_equal(HARM(NUMBER, IF(BPF_JEQ, SYS_mmap, 0, 3), ARGUMENT(2),
			      IF(BPF_JSET, PROT_EXEC, 0, 1),
			      ANSWER(SECCOMP_RET_KILL),
			      ANSWER(SECCOMP_RET_ALLOW)),
			 LA_HARMS_NOTHING);
	assert_int_equal(HARM(NUMBER, IF(BPF_JEQ, SYS_mmap, 0, 3), ARGUMENT(2),
			      IF(BPF_JSET, PROT_WRITE, 0, 1),
			      ANSWER(SECCOMP_RET_KILL),
			      ANSWER(SECCOMP_RET_ALLOW)),
			 LA_HARMS_MEMORY);
}

/* Each of these filters comes to: kill if the number is that of mmap. */
static void test_all_steps_are_known(void **state)
{
	(void)state;
	assert_int_equal(
		HARM(NUMBER, BPF_STMT(BPF_ST, 3),
		     BPF_STMT(BPF_LD | BPF_IMM, SYS_mmap + 1),
		     BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, 1),
		     BPF_STMT(BPF_MISC | BPF_TAX, 0),
		     BPF_STMT(BPF_LD | BPF_MEM, 3),
		     BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1),
		     ANSWER(SECCOMP_RET_KILL), ANSWER(SECCOMP_RET_ALLOW)),
		LA_HARMS_MEMORY);
	assert_int_equal(
		HARM(NUMBER, BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 4),
		     BPF_STMT(BPF_ALU | BPF_OR | BPF_K, 3),
		     BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
		     IF(BPF_JGT, SYS_mmap, 1, 0),
		     IF(BPF_JGE, SYS_mmap, 1, 0),
		     BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		     BPF_STMT(BPF_LD | BPF_IMM, SECCOMP_RET_KILL),
		     BPF_STMT(BPF_RET | BPF_A, 0)),
		LA_HARMS_MEMORY);
	assert_int_equal(
		HARM(BPF_STMT(BPF_JMP | BPF_JA, 1), ANSWER(SECCOMP_RET_KILL),
		     BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0),
		     BPF_STMT(BPF_MISC | BPF_TXA, 0),
		     BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 8),
		     BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 8),
		     BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
		     IF(BPF_JEQ, 0, 0, 1), ANSWER(SECCOMP_RET_ALLOW),
		     ANSWER(SECCOMP_RET_KILL)),
		LA_HARMS_NOTHING);
}

/* Whether the kernel ends a process for such a filter. */
static bool kernel_kills(const struct sock_fprog *filter)
{
	pid_t child = fork();
	int status;

	assert_int_not_equal(child, -1);
	if (!child) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter))
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) || !WEXITSTATUS(status));
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

/* Kills if a (operation) x is not the result. */
static void calculate_as_kernel(uint32_t a, uint16_t operation, uint32_t x,
				uint32_t result, bool killed)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LDX | BPF_IMM, x),
		BPF_STMT(BPF_LD | BPF_IMM, a),
		BPF_STMT((uint16_t)(BPF_ALU | operation | BPF_X), 0),
		IF(BPF_JEQ, result, 0, 1),
		ANSWER(SECCOMP_RET_ALLOW),
		ANSWER(SECCOMP_RET_KILL_PROCESS),
	};
	const struct sock_fprog filter = { array_length(steps), steps };

	assert_int_equal(kernel_kills(&filter), killed);
	assert_int_equal(la_seccomp_harm(&filter) != LA_HARMS_NOTHING, killed);
}

static void test_calculates_as_the_kernel_does(void **state)
{
	(void)state;
	calculate_as_kernel(1, BPF_LSH, 3, 8, false);
	calculate_as_kernel(1, BPF_LSH, 33, 2, false);
	calculate_as_kernel(1, BPF_LSH, 33, 0, true);
	calculate_as_kernel(6, BPF_RSH, 65, 3, false);
	calculate_as_kernel(6, BPF_RSH, 65, 0, true);
	calculate_as_kernel(6, BPF_DIV, 4, 1, false);
	/* The end of the filter, whatever comes after it. */
	calculate_as_kernel(6, BPF_DIV, 0, 0, true);
	calculate_as_kernel(UINT32_MAX, BPF_ADD, 2, 1, false);
	calculate_as_kernel(1, BPF_SUB, 2, UINT32_MAX, false);
	calculate_as_kernel(1u << 31, BPF_MUL, 2, 0, false);
}

/* The right call by the wrong convention is the usual first question. */
static void test_the_convention_is_told(void **state)
{
	(void)state;
	assert_int_equal(
		HARM(BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			      offsetof(struct seccomp_data, arch)),
		     IF(BPF_JEQ, 0xc000003e, 1, 0), ANSWER(SECCOMP_RET_KILL),
		     ANSWER(SECCOMP_RET_ALLOW)),
		LA_HARMS_NOTHING);
}

static void test_what_cannot_be_read_harms_nothing(void **state)
{
	struct sock_fprog nowhere = { 3, (struct sock_filter *)16 };
	struct sock_fprog empty = { 0, (struct sock_filter *)16 };
	struct sock_fprog past_the_end = { 3, (struct sock_filter *)-8 };
	struct sock_fprog torn = { 1100, NULL };
	char *pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	/* Its first step and its last can be read, but not those between. */
	assert_ptr_not_equal(pages, MAP_FAILED);
	assert_int_equal(munmap(pages + 4096, 4096), 0);
	torn.filter = (struct sock_filter *)(pages + 3 * 4096) - 1100;
	assert_in_range((uintptr_t)torn.filter, (uintptr_t)pages,
			(uintptr_t)pages + 4095);
	assert_int_equal(la_seccomp_harm(&torn), LA_HARMS_NOTHING);
	munmap(pages, 3 * 4096);
	assert_int_equal(la_seccomp_harm(NULL), LA_HARMS_NOTHING);
	assert_int_equal(la_seccomp_harm((void *)16), LA_HARMS_NOTHING);
	assert_int_equal(la_seccomp_harm(&nowhere), LA_HARMS_NOTHING);
	assert_int_equal(la_seccomp_harm(&empty), LA_HARMS_NOTHING);
	assert_int_equal(la_seccomp_harm(&past_the_end), LA_HARMS_NOTHING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_harmed),
		cmocka_unit_test(test_which_answers_harm),
		cmocka_unit_test(test_arguments_count),
		cmocka_unit_test(test_all_steps_are_known),
		cmocka_unit_test(test_calculates_as_the_kernel_does),
		cmocka_unit_test(test_the_convention_is_told),
		cmocka_unit_test(test_what_cannot_be_read_harms_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
