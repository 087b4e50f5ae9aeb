/*
 * Single steps out of made-up frames: where stacks end, where they change, and
 * where nothing can be read. (What whole stacks give: agent_stack_test.)
 */
#include "agent/unwind.h"

#include "tests/support/agent_check.h"

#include <sys/mman.h>

enum { PAGE_BYTES = 4096, WORDS = PAGE_BYTES / sizeof(uintptr_t) };

/* Two stacks, each a page with a hole behind it; the first is the lower one. */
static uintptr_t *low, *high;

static const struct la_rule by_fp = {
	.kind = LA_RULE_FP,
	.fp_rule = LA_FP_SAVED,
	.cfa = 16,
	.fp = -16,
};
static const struct la_rule by_sp = { .kind = LA_RULE_SP, .cfa = 8 };
static const struct la_rule by_guess = { .kind = LA_RULE_GUESS };

static uintptr_t address_of(const uintptr_t *word)
{
	return (uintptr_t)word;
}

/* A frame whose frame pointer is at `frame`: what it saved and returns to. */
static void set_frame(uintptr_t *frame, uintptr_t fp, uintptr_t pc)
{
	frame[0] = fp;
	frame[1] = pc;
}

static void assert_registers(struct la_registers registers, uintptr_t pc,
			     uintptr_t sp, uintptr_t fp)
{
	assert_int_equal(registers.pc, pc);
	assert_int_equal(registers.sp, sp);
	assert_int_equal(registers.fp, fp);
}

static void test_on_one_stack(void **unused)
{
	struct la_registers registers = { 0x1000, address_of(low + 10),
					  address_of(low + 20) };

	(void)unused;
	set_frame(low + 20, 77, 0x2001);
	assert_int_equal(la_unwind_step(&by_fp, &registers,
					address_of(low + WORDS)),
			 LA_STEP_CALLER);
	assert_registers(registers, 0x2000, address_of(low + 22), 77);
}

static void test_to_another_stack(void **unused)
{
	uintptr_t *const stacks[] = { low, high };

	(void)unused;
	for (int from = 0; from < 2; from++) {
		uintptr_t *to = stacks[!from];
		struct la_registers registers = {
			0x1000, address_of(stacks[from] + 10),
			address_of(to + 20)
		};

		set_frame(to + 20, 77, 0x2001);
		assert_int_equal(la_unwind_step(&by_fp, &registers,
						address_of(stacks[from] +
							   WORDS)),
				 LA_STEP_ELSEWHERE);
		assert_registers(registers, 0x2000, address_of(to + 22), 77);
	}
}

/* On a stack of unknown end, one that lies above seems to be part of it. */
static void test_from_a_stack_of_unknown_end(void **unused)
{
	struct la_registers up = { 0x1000, address_of(low + 10),
				   address_of(high + 20) };
	struct la_registers down = { 0x1000, address_of(high + 10),
				     address_of(low + 20) };

	(void)unused;
	set_frame(low + 20, 66, 0x3001);
	set_frame(high + 20, 77, 0x2001);
	assert_int_equal(la_unwind_step(&by_fp, &up, 0), LA_STEP_CALLER);
	assert_registers(up, 0x2000, address_of(high + 22), 77);
	assert_int_equal(la_unwind_step(&by_fp, &down, 0), LA_STEP_ELSEWHERE);
	assert_registers(down, 0x3000, address_of(low + 22), 66);
}

static void assert_lost(const struct la_rule *rule, uintptr_t sp, uintptr_t fp)
{
	const uintptr_t limits[] = { 0, address_of(low + WORDS) };

	for (size_t i = 0; i < array_length(limits); i++) {
		struct la_registers registers = { 0x1000, sp, fp };

		assert_int_equal(la_unwind_step(rule, &registers, limits[i]),
				 LA_STEP_LOST);
	}
}

static void test_nothing_there(void **unused)
{
	const uintptr_t sp = address_of(low + 10);
	const uintptr_t nowhere[] = {
		0,
		8,
		address_of(low + WORDS), /* the hole */
		address_of(low + WORDS - 1),
		address_of(high - 1), /* only half of it is there */
		address_of(high + 20) + 4, /* no place for a word */
		UINTPTR_MAX - 16,
		UINT64_C(0x1111222233334448),
	};

	(void)unused;
	high[0] = 0x2001;
	for (size_t i = 0; i < array_length(nowhere); i++) {
		assert_lost(&by_fp, sp, nowhere[i]);
		/* No frame pointer at all says that there is no caller. */
		if (nowhere[i])
			assert_lost(&by_guess, sp, nowhere[i]);
	}
	assert_lost(&by_sp, address_of(low + WORDS), 0);
}

static void test_guesses(void **unused)
{
	const uintptr_t limits[] = { 0, address_of(low + WORDS) };

	(void)unused;
	set_frame(low + 20, 77, 0x2001);
	for (size_t i = 0; i < array_length(limits); i++) {
		struct la_registers registers = { 0x1000, address_of(low + 10),
						  address_of(low + 20) };
		struct la_registers outermost = { 0x1000, address_of(low + 10),
						  0 };

		assert_int_equal(la_unwind_step(&by_guess, &registers,
						limits[i]),
				 LA_STEP_CALLER);
		assert_registers(registers, 0x2000, address_of(low + 22), 77);
		assert_int_equal(la_unwind_step(&by_guess, &outermost,
						limits[i]),
				 LA_STEP_END);
	}
	/* Only further up, and not on another stack. */
	set_frame(low + 5, 77, 0x2001);
	assert_lost(&by_guess, address_of(low + 10), address_of(low + 5));
	set_frame(high + 5, 77, 0x2001);
	assert_lost(&by_guess, address_of(low + 10), address_of(high + 5));
}

static void test_no_caller(void **unused)
{
	struct la_registers here = { 0x1000, address_of(low + 10),
				     address_of(low + 20) };
	struct la_registers there = { 0x1000, address_of(low + 10),
				      address_of(high + 20) };

	(void)unused;
	set_frame(low + 20, 77, 0);
	set_frame(high + 20, 77, 0);
	assert_int_equal(la_unwind_step(&by_fp, &here, address_of(low + WORDS)),
			 LA_STEP_END);
	assert_int_equal(la_unwind_step(&by_fp, &there,
					address_of(low + WORDS)),
			 LA_STEP_END);
}

/* What is found from the stack pointer is on the same stack. */
static void test_beyond_the_end(void **unused)
{
	const struct la_rule far = {
		.kind = LA_RULE_SP,
		.cfa = (int32_t)(address_of(high + 20) - address_of(low + 10)),
	};
	struct la_registers registers = { 0x1000, address_of(low + 10), 0 };

	(void)unused;
	high[19] = 0x2001;
	assert_int_equal(la_unwind_step(&far, &registers,
					address_of(low + WORDS)),
			 LA_STEP_LOST);
}

/* low, a hole, more than a guess reaches, high, a hole */
static int map_stacks(void **unused)
{
	enum { PAGES = 16 };
	char *all = mmap(NULL, PAGES * PAGE_BYTES, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)unused;
	if (all == MAP_FAILED)
		return -1;
	low = (uintptr_t *)all;
	high = (uintptr_t *)(all + (PAGES - 2) * PAGE_BYTES);
	return mprotect(low, PAGE_BYTES, PROT_READ | PROT_WRITE) ||
	       mprotect(high, PAGE_BYTES, PROT_READ | PROT_WRITE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_on_one_stack),
		cmocka_unit_test(test_to_another_stack),
		cmocka_unit_test(test_from_a_stack_of_unknown_end),
		cmocka_unit_test(test_nothing_there),
		cmocka_unit_test(test_guesses),
		cmocka_unit_test(test_no_caller),
		cmocka_unit_test(test_beyond_the_end),
	};

	return cmocka_run_group_tests(tests, map_stacks, NULL);
}
