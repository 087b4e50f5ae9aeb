/* build: -ldl */
/*
 * Comparing captured stacks with libunwind's: right ones are found to be right,
 * and whatever is wrong with one is told. The frames are those of
 * tests/programs/libcallers.c; this program's own count as the agent's.
 */
#define _GNU_SOURCE

#include "agent/frames.h"
#include "agent/modules.h"
#include "agent/sites.h"
#include "agent/stack.h"
#include "agent/system.h"
#include "agent/trail.h"
#include "agent/unwind.h"
#include "agent/unwind_cursor.h"
#include "agent/verify.h"

#include "tests/programs/libcallers.h"
#include "tests/support/agent_check.h"
#include "tests/support/own_stack.h"
#include "tests/support/program_libraries.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))

enum { MOST_TRUE_FRAMES = 100 };

static const struct caller *all_callers;
static struct la_state *state;

static void run_caller(const char *name, callback *call)
{
	const struct caller *caller = all_callers;

	while (strcmp(caller->name, name))
		caller++;
	caller->run(call);
}

static uint64_t different(void)
{
	return la_verify_result().different;
}

/* ---- stacks as they are ---- */

static void NOINLINE verify_here(void)
{
	struct la_registers caller =
		la_arch_caller(__builtin_frame_address(0));

	la_verify(caller, la_trail_capture(state, caller));
}

static void test_right_stacks(void **unused)
{
	uint64_t before = la_verify_result().stacks;
	uint64_t calls = 0;

	(void)unused;
	for (const struct caller *caller = all_callers; caller->name; caller++)
		for (int i = 0; i < 10; i++, calls++)
			caller->run(verify_here);
	assert_int_equal(la_verify_result().stacks - before, calls);
	assert_int_equal(different(), 0);
}

static void test_right_stacks_of_any_depth(void **unused)
{
	static const unsigned depths[] = { 1, 2, 3, 17, 256, 64 };

	(void)unused;
	for (size_t i = 0; i < array_length(depths); i++) {
		la_stack_set_depth(depths[i]);
		run_caller("plain", verify_here);
		run_caller("recursion", verify_here);
		run_caller("deep_recursion", verify_here);
		run_caller("deep_in_jit", verify_here);
	}
	assert_int_equal(different(), 0);
}

static void test_no_memory_no_stack(void **unused)
{
	struct la_registers caller =
		la_arch_caller(__builtin_frame_address(0));
	uint64_t before = la_verify_result().stacks;

	(void)unused;
	la_verify(caller, 0);
	assert_int_equal(la_verify_result().stacks, before);
}

/* ---- what must not change ---- */

static unsigned descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static void test_host_sees_nothing(void **unused)
{
	const la_signal_set one = UINT64_C(1) << (SIGUSR1 - 1), none = 0;
	unsigned before = descriptors();
	la_signal_set after;

	(void)unused;
	la_sys_sigprocmask(SIG_SETMASK, &one, NULL);
	run_caller("in_handler_elsewhere", verify_here);
	run_caller("realigned_twice", verify_here);
	la_sys_sigprocmask(SIG_SETMASK, &none, &after);
	assert_int_equal(after, one);
	assert_int_equal(descriptors(), before);
}

static void NOINLINE verify_and_look_at_errno(void)
{
	errno = 77;
	verify_here();
	assert_int_equal(errno, 77);
}

static void test_errno_is_kept(void **unused)
{
	(void)unused;
	run_caller("plain", verify_and_look_at_errno);
}

/* ---- stacks that are wrong ---- */

/* What the wrong ones are made of: a stack of which some frame is changed. */
enum wrong {
	RIGHT,
	OTHER_LEAF,
	OTHER_ROOT,
	FRAME_TOO_MUCH,
	FRAME_TOO_FEW,
	OUTERMOST_MISSING,
	CUT_TOO_EARLY,
	NOT_CUT,
	JIT_IN_PLACE,
	WRONGS
};

static enum wrong wrong;

static uint32_t wrong_node(struct la_registers caller)
{
	static uint32_t frames[LA_MOST_FRAMES + 1];
	struct la_capture capture = la_stack_walk(state, caller, frames, true);
	uint32_t other = la_frames_find((uintptr_t)&getppid, true);

	assert_in_range(capture.count, 3, LA_MOST_FRAMES - 1);
	switch (wrong) {
	case OTHER_LEAF:
		frames[0] = other;
		break;
	case OTHER_ROOT:
		frames[capture.count - 1] = other;
		break;
	case FRAME_TOO_MUCH:
		frames[capture.count++] = other;
		break;
	case FRAME_TOO_FEW:
		memmove(&frames[1], &frames[2],
			(--capture.count - 1) * sizeof(frames[0]));
		break;
	case OUTERMOST_MISSING:
		capture.count--;
		break;
	case CUT_TOO_EARLY:
		capture.truncated = true;
		break;
	case NOT_CUT:
		assert_true(capture.truncated);
		capture.truncated = false;
		break;
	case JIT_IN_PLACE:
		frames[1] = LA_FRAME_ID_JIT;
		break;
	default:
		break;
	}
	return la_stack_node(frames, capture);
}

static void NOINLINE verify_wrong_one(void)
{
	struct la_registers caller =
		la_arch_caller(__builtin_frame_address(0));

	la_verify(caller, wrong_node(caller));
}

static void test_wrong_stacks(void **unused)
{
	(void)unused;
	for (wrong = RIGHT; wrong < WRONGS; wrong++) {
		uint64_t before = different();

		la_stack_set_depth(wrong == NOT_CUT ? 3 : 64);
		run_caller("plain", verify_wrong_one);
		if (different() - before != (wrong != RIGHT))
			fail_msg("wrong in manner %d, and not noticed", wrong);
	}
	la_stack_set_depth(64);
}

/* The hook's caller is not where it is said to be. */
static void NOINLINE verify_astray(void)
{
	struct la_registers caller =
		la_arch_caller(__builtin_frame_address(0));
	uint32_t node = la_trail_capture(state, caller);

	caller.sp += 8;
	la_verify(caller, node);
}

static void test_wrong_registers(void **unused)
{
	uint64_t before = different();

	(void)unused;
	run_caller("plain", verify_astray);
	assert_int_equal(different() - before, 1);
}

/* ---- what is told of them ---- */

static void test_descriptions(void **unused)
{
	char text[512], little[20];

	(void)unused;
	assert_true(different() > 4);
	assert_true(la_verify_describe(0, text, sizeof(text)));
	/* The first that was wrong had another leaf. */
	assert_memory_equal(text, "frame 0: agent: libc.so.6+0x", 28);
	assert_non_null(strstr(text, "; libunwind: libcallers.so+0x"));
	assert_true(la_verify_describe(3, text, sizeof(text)));
	assert_false(la_verify_describe(4, text, sizeof(text)));
	memset(little, 'x', sizeof(little));
	assert_true(la_verify_describe(0, little, 10));
	assert_string_equal(little, "frame 0: ");
	assert_int_equal(little[10], 'x');
}

/* ---- libunwind's own walk ---- */

static uintptr_t seen[MOST_TRUE_FRAMES];
static unsigned seen_count;

static bool note(void *most, uintptr_t pc)
{
	seen[seen_count++] = pc;
	return seen_count < *(unsigned *)most;
}

static enum la_walk_end NOINLINE walk_here(unsigned most)
{
	struct la_registers caller =
		la_arch_caller(__builtin_frame_address(0));
	enum la_walk_end end;

	seen_count = 0;
	end = la_cursor_walk(caller, note, &most);
	assert_int_equal(seen[0], caller.pc);
	return end;
}

static void test_walk_to_its_end(void **unused)
{
	(void)unused;
	assert_int_equal(walk_here(MOST_TRUE_FRAMES), LA_WALK_END);
	assert_in_range(seen_count, 4, MOST_TRUE_FRAMES - 1);
}

static void test_walk_that_is_stopped(void **unused)
{
	(void)unused;
	assert_int_equal(walk_here(2), LA_WALK_STOPPED);
	assert_int_equal(seen_count, 2);
}

/* ---- setting up ---- */

static void load_callers(void)
{
	char path[PATH_MAX];

	find_library("libcallers.so", path);
	all_callers = symbol_of_library(path, "callers");
}

static int boot(void **unused)
{
	unsigned before;

	(void)unused;
	load_callers();
	before = descriptors();
	if (la_state_boot() || la_unwind_boot() || la_verify_boot() ||
	    la_modules_boot() || la_frames_boot())
		return -1;
	assert_true(la_verify_wanted);
	assert_int_equal(descriptors(), before);
	state = la_state_get();
	know_own_stack();
	return 0;
}

int main(void)
{
	/* The wrong ones after all that must be right, then what was told. */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right_stacks),
		cmocka_unit_test(test_right_stacks_of_any_depth),
		cmocka_unit_test(test_no_memory_no_stack),
		cmocka_unit_test(test_host_sees_nothing),
		cmocka_unit_test(test_errno_is_kept),
		cmocka_unit_test(test_walk_to_its_end),
		cmocka_unit_test(test_walk_that_is_stopped),
		cmocka_unit_test(test_wrong_stacks),
		cmocka_unit_test(test_wrong_registers),
		cmocka_unit_test(test_descriptions),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
