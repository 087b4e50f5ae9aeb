/* build: -lunwind -ldl */
/*
 * Walking stacks: frame by frame what libunwind's own cursor finds, and the
 * fast way always what the plain way gives. The frames are made by
 * tests/programs/libcallers.c; this program's own count as the agent's, since
 * the agent is linked into it.
 */
#define _GNU_SOURCE
#define UNW_LOCAL_ONLY

#include "agent/frames.h"
#include "agent/modules.h"
#include "agent/sites.h"
#include "agent/stack.h"
#include "agent/trail.h"
#include "agent/unwind.h"

#include "tests/programs/libcallers.h"
#include "tests/support/agent_check.h"
#include "tests/support/own_stack.h"
#include "tests/support/program_libraries.h"

#include <dlfcn.h>
#include <libunwind.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#define NOINLINE __attribute__((noinline))

enum { MOST_TRUE_FRAMES = 2000 };

static const struct caller *all_callers;
static struct la_state *state;

/* The stack as libunwind sees it, from the caller of the one who asks. */
static struct la_registers truth[MOST_TRUE_FRAMES];
static unsigned true_frames;

/* mov $15, %rax; syscall: rt_sigreturn, which a handler returns to. */
static bool is_trampoline(unw_word_t ip)
{
	static const unsigned char code[] = { 0x48, 0xc7, 0xc0, 0x0f, 0x00,
					      0x00, 0x00, 0x0f, 0x05 };

	return !memcmp((const void *)ip, code, sizeof(code));
}

static void note_truth(unw_cursor_t *cursor)
{
	bool exact = false;

	true_frames = 0;
	while (unw_step(cursor) > 0 && true_frames < MOST_TRUE_FRAMES) {
		unw_word_t ip, sp, fp;

		assert_int_equal(unw_get_reg(cursor, UNW_REG_IP, &ip), 0);
		assert_int_equal(unw_get_reg(cursor, UNW_REG_SP, &sp), 0);
		assert_int_equal(unw_get_reg(cursor, UNW_X86_64_RBP, &fp), 0);
		if (!ip)
			break;
		truth[true_frames++] =
			(struct la_registers){ ip - !exact, sp, fp };
		exact = is_trampoline(ip);
	}
	assert_in_range(true_frames, 1, MOST_TRUE_FRAMES - 1);
}

/* ---- step by step ---- */

static bool may_lose(const struct la_frame *frame, uintptr_t limit)
{
	return frame->rule.kind == LA_RULE_OPAQUE ||
	       (frame->rule.kind == LA_RULE_GUESS && !limit);
}

/* Returns whether it came to the end. */
static bool assert_steps_are_true(void)
{
	struct la_registers registers = truth[0];
	bool fp_known = true;

	for (unsigned i = 0;; i++) {
		uintptr_t limit = la_stack_limit(state, registers.sp);
		uint32_t id = la_frames_find(registers.pc, true);
		const struct la_frame *frame = la_frame_at(id);
		enum la_step went;

		assert_true(i < true_frames);
		assert_int_equal(registers.pc, truth[i].pc);
		assert_int_equal(registers.sp, truth[i].sp);
		if (fp_known)
			assert_int_equal(registers.fp, truth[i].fp);
		if (frame->rule.fp_rule == LA_FP_LOST)
			fp_known = false;
		went = la_unwind_step(&frame->rule, &registers, limit);
		if (went == LA_STEP_LOST) {
			if (!may_lose(frame, limit))
				fail_msg("lost at 0x%lx of %s: kind %d, %u of "
					 "%u frames",
					 frame->address,
					 frame->module ?
						 la_module_at(frame->module)
							 ->path :
						 "",
					 frame->rule.kind, i, true_frames);
			return false;
		}
		if (went == LA_STEP_END) {
			assert_int_equal(i + 1, true_frames);
			return true;
		}
	}
}

/* ---- whole stacks ---- */

/* The shown part of the truth: without our frames, and jit ones only once. */
static unsigned shown_truth(uintptr_t *addresses)
{
	unsigned count = 0;
	uint32_t last = 0;

	for (unsigned i = 0; i < true_frames; i++) {
		uint32_t id = la_frames_find(truth[i].pc, true);
		bool again = id == LA_FRAME_ID_JIT && id == last;

		last = id;
		if (!la_frame_at(id)->ours && !again)
			addresses[count++] = la_frame_at(id)->address;
	}
	return count;
}

static void assert_walk_is_true(unsigned depth)
{
	static uintptr_t shown[MOST_TRUE_FRAMES];
	uint32_t frames[LA_MOST_FRAMES];
	unsigned count = shown_truth(shown);
	struct la_capture capture;

	la_stack_set_depth(depth);
	capture = la_stack_walk(state, truth[0], frames, true);
	assert_int_equal(capture.truncated, count > depth);
	assert_int_equal(capture.count, count > depth ? depth : count);
	for (unsigned i = 0; i < capture.count; i++)
		assert_int_equal(la_frame_at(frames[i])->address, shown[i]);
}

/* The node of the plain walk from `registers`. */
static uint32_t plain_node(struct la_registers registers)
{
	uint32_t frames[LA_MOST_FRAMES];

	return la_stack_node(frames,
			     la_stack_walk(state, registers, frames, true));
}

static void assert_fast_is_plain(struct la_registers registers)
{
	uint32_t fast = la_trail_capture(state, registers);

	assert_int_not_equal(fast, 0);
	assert_int_equal(fast, plain_node(registers));
}

static const unsigned depths[] = { 64, 1, 2, 5, 17, 255, 256, 64 };

static unsigned looks, lost;

static void NOINLINE look(void)
{
	unw_context_t context;
	unw_cursor_t cursor;
	struct la_registers caller = la_arch_caller(__builtin_frame_address(0));

	unw_getcontext(&context);
	unw_init_local(&cursor, &context);
	note_truth(&cursor);
	assert_int_equal(caller.pc, truth[0].pc);
	assert_int_equal(caller.sp, truth[0].sp);
	assert_int_equal(caller.fp, truth[0].fp);
	looks++;
	if (!assert_steps_are_true()) {
		lost++;
		return;
	}
	for (size_t i = 0; i < array_length(depths); i++) {
		assert_walk_is_true(depths[i]);
		assert_fast_is_plain(caller);
		assert_fast_is_plain(caller);
	}
}

/* A frame between the one that looks and the one that is looked at. */
static void NOINLINE look_once(void)
{
	look();
	__asm__ volatile("" : : : "memory");
}

static const struct caller *caller_called(const char *name)
{
	const struct caller *caller = all_callers;

	while (strcmp(caller->name, name))
		caller++;
	return caller;
}

static void test_every_manner_of_frame(void **unused)
{
	(void)unused;
	for (const struct caller *caller = all_callers; caller->name;
	     caller++) {
		if (caller->traits & CALLER_DEEP)
			continue;
		looks = lost = 0;
		for (int i = 0; i < 20; i++)
			caller->run(look_once);
		if (looks != 20 || (lost && !(caller->traits & CALLER_ALONE)))
			fail_msg("%s: %u looks, %u lost", caller->name, looks,
				 lost);
	}
}

static void test_deep_recursion(void **unused)
{
	(void)unused;
	looks = lost = 0;
	for (int i = 0; i < 20; i++)
		caller_called("deep_recursion")->run(look_once);
	assert_int_equal(looks, 20);
	assert_int_equal(lost, 0);
}

/* More frames than are kept, but all of them one. */
static void test_deep_recursion_without_a_file(void **unused)
{
	(void)unused;
	looks = lost = 0;
	for (int i = 0; i < 20; i++)
		caller_called("deep_in_jit")->run(look_once);
	assert_int_equal(looks, 20);
	assert_int_equal(lost, 0);
}

static void *on_a_thread(void *argument)
{
	struct la_state *main_state = state;

	(void)argument;
	la_state_of_thread = NULL;
	state = la_state_get();
	know_own_stack();
	caller_called("with_alloca")->run(look_once);
	caller_called("in_handler")->run(look_once);
	caller_called("in_jit")->run(look_once);
	state = main_state;
	return NULL;
}

static void test_other_thread(void **unused)
{
	pthread_t thread;

	(void)unused;
	looks = lost = 0;
	assert_int_equal(pthread_create(&thread, NULL, on_a_thread, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(looks, 3);
	assert_int_equal(lost, 0);
}

/* C++: std::terminate calls its handler, from code that catches exceptions. */
static jmp_buf out_of_terminate;

static void terminate_handler(void)
{
	look();
	longjmp(out_of_terminate, 1);
}

static void test_through_cxx(void **unused)
{
	void *library = dlopen("libstdc++.so.6", RTLD_NOW);
	void (*(*set_terminate)(void (*)(void)))(void);
	void (*terminate)(void);
	void *symbol = dlsym(library, "_ZSt13set_terminatePFvvE");

	(void)unused;
	assert_non_null(symbol);
	la_modules_refresh();
	memcpy(&set_terminate, &symbol, sizeof(symbol));
	symbol = dlsym(library, "_ZSt9terminatev");
	memcpy(&terminate, &symbol, sizeof(symbol));
	looks = lost = 0;
	set_terminate(terminate_handler);
	if (!setjmp(out_of_terminate))
		terminate();
	assert_int_equal(looks, 1);
	assert_int_equal(lost, 0);
}

/* ---- wherever a signal may strike ---- */

static void struck(int number)
{
	(void)number;
	look();
	__asm__ volatile("" : : : "memory");
}

static int by_value(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static volatile int sink;

static void work(unsigned round)
{
	static int numbers[300];
	char text[100];

	for (unsigned i = 0; i < array_length(numbers); i++)
		numbers[i] = (int)(i * 7919 * round % 1000);
	qsort(numbers, array_length(numbers), sizeof(numbers[0]), by_value);
	snprintf(text, sizeof(text), "%d %s %.3f", numbers[3], "text", 1.5);
	sink = (int)strtol(text, NULL, 10) + (int)strlen(text);
}

static void test_anywhere(void **unused)
{
	struct sigaction action = { .sa_handler = struck,
				    .sa_flags = SA_RESTART };
	/* Once: a handler must not come while the agent holds its locks. */
	struct itimerval once = { .it_value = { 0, 700 } };

	(void)unused;
	assert_int_equal(sigaction(SIGPROF, &action, NULL), 0);
	looks = lost = 0;
	for (unsigned round = 0; looks < 50; round++) {
		unsigned before = looks;

		setitimer(ITIMER_PROF, &once, NULL);
		while (*(volatile unsigned *)&looks == before)
			work(round);
	}
	print_message("%u stacks, %u of them lost\n", looks, lost);
}

/* ---- the fast way, in random order ---- */

static uint64_t seed;
static int levels;
static unsigned captures;

static void NOINLINE capture_here(void)
{
	assert_fast_is_plain(la_arch_caller(__builtin_frame_address(0)));
	captures++;
}

static void NOINLINE wander(void);

/* Different callers with the same frame size: alike but for what they hold. */
static void NOINLINE left(void)
{
	wander();
	__asm__ volatile("" : : : "memory");
}

static void NOINLINE right(void)
{
	wander();
	__asm__ volatile("" : : : "memory");
}

/* Every few steps up and down the stack a capture is taken and compared. */
static void NOINLINE wander(void)
{
	if (random_below(&seed, 2))
		capture_here();
	if (levels <= 0)
		return;
	levels--;
	for (uint64_t i = random_below(&seed, 3) + 1; i > 0; i--) {
		/* But for the deepest: those are expensive. */
		uint64_t kinds = random_below(&seed, 40) ? 15 : 17;
		const struct caller *caller =
			&all_callers[random_below(&seed, kinds)];

		caller->run(random_below(&seed, 2) ? left : right);
		if (random_below(&seed, 2))
			capture_here();
	}
}

static void test_fast_way_at_random(void **unused)
{
	(void)unused;
	for (uint64_t start = 0; start < 150; start++) {
		seed = start;
		la_stack_set_depth(depths[start % array_length(depths)]);
		for (int i = 0; i < 10; i++) {
			levels = 12;
			wander();
		}
	}
	assert_true(captures > 10000);
}

/* ---- code that another takes the place of ---- */

static char callers_path[PATH_MAX];

/* Loads a copy of the callers under a name of its own, looks, and unloads it. */
static uintptr_t look_in_copy(const char *name)
{
	char path[] = "/tmp/agent_stack_test.XXXXXX", copy[64];
	char command[PATH_MAX + 128];
	const struct caller *caller;
	uintptr_t address;
	void *library;

	assert_non_null(mkdtemp(path));
	snprintf(copy, sizeof(copy), "%s/%s", path, name);
	snprintf(command, sizeof(command), "cp '%s' '%s'", callers_path, copy);
	assert_int_equal(system(command), 0);
	library = dlopen(copy, RTLD_NOW | RTLD_LOCAL);
	assert_non_null(library);
	la_modules_suspect();
	caller = dlsym(library, "callers");
	address = (uintptr_t)caller->run;
	caller->run(capture_here);
	assert_string_equal(la_module_at(la_modules_find(address))->path, copy);
	dlclose(library);
	la_modules_suspect();
	snprintf(command, sizeof(command), "rm -r '%s'", path);
	assert_int_equal(system(command), 0);
	return address;
}

static void test_code_in_the_place_of_other_code(void **unused)
{
	uintptr_t first = look_in_copy("one.so");

	(void)unused;
	assert_int_equal(look_in_copy("two.so"), first);
	assert_int_equal(look_in_copy("three.so"), first);
}

/* ---- setting up ---- */

static void load_callers(void)
{
	find_library("libcallers.so", callers_path);
	all_callers = symbol_of_library(callers_path, "callers");
}

static int boot(void **unused)
{
	(void)unused;
	if (la_state_boot() || la_unwind_boot())
		return -1;
	load_callers();
	if (la_modules_boot() || la_frames_boot())
		return -1;
	state = la_state_get();
	know_own_stack();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_manner_of_frame),
		cmocka_unit_test(test_deep_recursion),
		cmocka_unit_test(test_deep_recursion_without_a_file),
		cmocka_unit_test(test_other_thread),
		cmocka_unit_test(test_through_cxx),
		cmocka_unit_test(test_anywhere),
		cmocka_unit_test(test_fast_way_at_random),
		cmocka_unit_test(test_code_in_the_place_of_other_code),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
