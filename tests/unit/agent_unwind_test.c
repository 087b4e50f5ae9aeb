/* build: -ldw -lelf */
/*
 * The unwind rules of whole libraries, against what libdw reads from the same
 * unwind information. (What walking with them gives: agent_stack_test.)
 */
#define _GNU_SOURCE

#include "agent/modules.h"
#include "agent/unwind.h"

#include "tests/support/agent_check.h"

#include <dlfcn.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

enum { FP = LA_ARCH_UNW_FP, SP = LA_ARCH_UNW_SP, PC = LA_ARCH_UNW_PC };

/* A value of the caller's as the unwind information describes it. */
struct value {
	enum { UNKNOWN, CONSTANT, FROM_SP, FROM_FP, FROM_CFA, READ } from;
	int64_t offset;
	/* READ: offset plus the word at `at` + at_offset. */
	int from_read;
	int64_t at_offset;
};

struct evaluation {
	struct value stack[8];
	unsigned depth;
	bool bad;
};

static void push(struct evaluation *evaluation, struct value value)
{
	if (evaluation->depth == array_length(evaluation->stack))
		evaluation->bad = true;
	else
		evaluation->stack[evaluation->depth++] = value;
}

static struct value pop(struct evaluation *evaluation)
{
	if (!evaluation->depth || evaluation->bad) {
		evaluation->bad = true;
		return (struct value){ 0 };
	}
	return evaluation->stack[--evaluation->depth];
}

static struct value of_register(uint64_t number, int64_t offset, uint64_t pc)
{
	switch (number) {
	case SP:
		return (struct value){ .from = FROM_SP, .offset = offset };
	case FP:
		return (struct value){ .from = FROM_FP, .offset = offset };
	case PC:
		return (struct value){ .from = CONSTANT,
				       .offset = (int64_t)pc + offset };
	default:
		return (struct value){ 0 };
	}
}

/* One of two operands has to be a constant. */
static struct value combine(uint8_t operation, struct value a, struct value b)
{
	if (operation == DW_OP_plus && b.from != CONSTANT) {
		struct value swapped = a;

		a = b;
		b = swapped;
	}
	if (operation == DW_OP_plus && a.from != UNKNOWN &&
	    b.from == CONSTANT) {
		a.offset += b.offset;
		return a;
	}
	if (a.from != CONSTANT || b.from != CONSTANT)
		return (struct value){ 0 };
	switch (operation) {
	case DW_OP_and:
		a.offset &= b.offset;
		break;
	case DW_OP_ge:
		a.offset = a.offset >= b.offset;
		break;
	default:
		a.offset <<= b.offset;
		break;
	}
	return a;
}

static struct value read_word(struct value at)
{
	if (at.from != FROM_SP && at.from != FROM_FP && at.from != FROM_CFA)
		return (struct value){ 0 };
	return (struct value){ .from = READ,
			       .from_read = (int)at.from,
			       .at_offset = at.offset };
}

static void operate(struct evaluation *evaluation, const Dwarf_Op *op,
		    uint64_t pc)
{
	struct value value = { .from = CONSTANT };

	if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31) {
		value = of_register(op->atom - DW_OP_breg0, (int64_t)op->number,
				    pc);
	} else if (op->atom >= DW_OP_lit0 && op->atom <= DW_OP_lit31) {
		value.offset = op->atom - DW_OP_lit0;
	} else {
		switch (op->atom) {
		case DW_OP_bregx:
			value = of_register(op->number, (int64_t)op->number2,
					    pc);
			break;
		case DW_OP_call_frame_cfa:
			value.from = FROM_CFA;
			break;
		case DW_OP_plus_uconst:
			value = pop(evaluation);
			value.offset += (int64_t)op->number;
			break;
		case DW_OP_deref:
			value = read_word(pop(evaluation));
			break;
		case DW_OP_plus:
		case DW_OP_and:
		case DW_OP_ge:
		case DW_OP_shl: {
			struct value b = pop(evaluation);

			value = combine(op->atom, pop(evaluation), b);
			break;
		}
		default:
			evaluation->bad = true;
		}
	}
	push(evaluation, value);
}

static struct value evaluate(const Dwarf_Op *ops, size_t count, uint64_t pc)
{
	struct evaluation evaluation = { 0 };

	for (size_t i = 0; i < count && !evaluation.bad; i++)
		operate(&evaluation, &ops[i], pc);
	/* libdw lets the expression of a register begin with the CFA. */
	return evaluation.bad ? (struct value){ 0 } : pop(&evaluation);
}

enum where { SAME, UNDEFINED, SAVED_AT };

/* Where a register of the caller is saved. */
static enum where saved(Dwarf_Frame *frame, int number, uint64_t pc,
			struct value *at)
{
	Dwarf_Op memory[3], *ops;
	size_t count;

	*at = (struct value){ 0 };
	if (dwarf_frame_register(frame, number, memory, &ops, &count))
		return SAVED_AT;
	if (!count)
		return ops ? UNDEFINED : SAME;
	*at = evaluate(ops, count, pc);
	return SAVED_AT;
}

/* The frame pointer's part of a rule; false where the agent's has no words. */
static bool expect_fp(struct la_rule *rule, Dwarf_Frame *frame, uint64_t pc,
		      struct value cfa)
{
	struct value at;

	switch (saved(frame, FP, pc, &at)) {
	case SAME:
		rule->fp_rule = LA_FP_SAME;
		return true;
	case UNDEFINED:
		rule->fp_rule = LA_FP_LOST;
		return true;
	case SAVED_AT:
		break;
	}
	rule->fp_rule = LA_FP_SAVED;
	rule->fp = (int32_t)at.offset;
	switch (rule->kind) {
	case LA_RULE_SIGNAL:
		return at.from == FROM_SP;
	case LA_RULE_FP_SLOT:
		return at.from == FROM_FP;
	default:
		if (at.from == cfa.from) /* an expression */
			rule->fp = (int32_t)(at.offset - cfa.offset);
		return at.from == FROM_CFA || at.from == cfa.from;
	}
}

static bool expect_signal(struct la_rule *rule, Dwarf_Frame *frame, uint64_t pc,
			  struct value cfa)
{
	struct value at;

	if (cfa.from != READ || cfa.from_read != FROM_SP || cfa.offset ||
	    saved(frame, PC, pc, &at) != SAVED_AT || at.from != FROM_SP)
		return false;
	rule->kind = LA_RULE_SIGNAL;
	rule->slot = (int16_t)cfa.at_offset;
	rule->cfa = (int32_t)at.offset;
	return true;
}

static bool expect_plain(struct la_rule *rule, Dwarf_Frame *frame, uint64_t pc,
			 struct value cfa)
{
	struct value at;

	if (saved(frame, PC, pc, &at) != SAVED_AT || at.from != FROM_CFA ||
	    at.offset != LA_ARCH_RETURN_ADDRESS_OFFSET)
		return false;
	rule->cfa = (int32_t)cfa.offset;
	if (cfa.from == FROM_SP) {
		rule->kind = LA_RULE_SP;
	} else if (cfa.from == FROM_FP) {
		rule->kind = LA_RULE_FP;
	} else if (cfa.from == READ && cfa.from_read == FROM_FP) {
		rule->kind = LA_RULE_FP_SLOT;
		rule->slot = (int16_t)cfa.at_offset;
	} else {
		return false;
	}
	return true;
}

/* The rule that the unwind information asks for, OPAQUE if there is no such. */
static struct la_rule expected_rule(Dwarf_CFI *cfi, uint64_t address,
				    uint64_t pc)
{
	struct la_rule rule = { .kind = LA_RULE_GUESS };
	Dwarf_Frame *frame;
	Dwarf_Op *ops;
	size_t count;
	bool signal, known;
	struct value cfa, at;

	if (dwarf_cfi_addrframe(cfi, address, &frame))
		return rule;
	assert_int_equal(dwarf_frame_info(frame, NULL, NULL, &signal), PC);
	if (saved(frame, PC, pc, &at) == UNDEFINED) {
		free(frame);
		return (struct la_rule){ .kind = LA_RULE_END };
	}
	known = !dwarf_frame_cfa(frame, &ops, &count);
	cfa = known ? evaluate(ops, count, pc) : (struct value){ 0 };
	known = known &&
		(signal ? expect_signal(&rule, frame, pc, cfa) :
			  expect_plain(&rule, frame, pc, cfa)) &&
		expect_fp(&rule, frame, pc, cfa);
	free(frame);
	return known ? rule : (struct la_rule){ .kind = LA_RULE_OPAQUE };
}

static bool same_rule(const struct la_rule *a, const struct la_rule *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == LA_RULE_GUESS || a->kind == LA_RULE_END ||
	    a->kind == LA_RULE_OPAQUE)
		return true;
	if (a->fp_rule != b->fp_rule || a->cfa != b->cfa ||
	    (a->fp_rule == LA_FP_SAVED && a->fp != b->fp))
		return false;
	return (a->kind != LA_RULE_SIGNAL && a->kind != LA_RULE_FP_SLOT) ||
	       a->slot == b->slot;
}

/* ---- whole modules ---- */

struct tally {
	unsigned long kinds[LA_RULE_OPAQUE + 1];
	unsigned long addresses, needlessly_opaque, wrong;
};

static void print_rule(const char *what, const struct la_rule *rule)
{
	print_message("  %s: kind %d cfa %d slot %d fp_rule %d fp %d\n", what,
		      rule->kind, rule->cfa, rule->slot, rule->fp_rule,
		      rule->fp);
}

static void check_address(Dwarf_CFI *cfi, const struct la_module *module,
			  uintptr_t address, struct tally *tally)
{
	uint64_t in_file = address - module->image_start;
	struct la_rule learnt = la_unwind_learn(address, module);
	struct la_rule expected = expected_rule(cfi, in_file, address);

	assert_true(learnt.kind <= LA_RULE_OPAQUE);
	tally->addresses++;
	tally->kinds[learnt.kind]++;
	if (same_rule(&learnt, &expected))
		return;
	if (learnt.kind == LA_RULE_OPAQUE)
		tally->needlessly_opaque++;
	else
		tally->wrong++;
	if (tally->wrong + tally->needlessly_opaque <= 10) {
		print_message("%s+0x%lx\n", module->path, in_file);
		print_rule("learnt  ", &learnt);
		print_rule("expected", &expected);
	}
}

static Elf *open_module(const struct la_module *module, int *fd)
{
	*fd = -1;
	elf_version(EV_CURRENT);
	if (module->path[0] == '[')
		return elf_memory((char *)module->image_start,
				  module->image_end - module->image_start);
	*fd = open(module->path, O_RDONLY);
	assert_true(*fd >= 0);
	return elf_begin(*fd, ELF_C_READ_MMAP, NULL);
}

/*
 * Every `stride`-th address of the module. An odd stride meets all places in
 * functions, and not only their starts, which are aligned.
 */
static void check_module(const struct la_module *module, unsigned stride)
{
	struct tally tally = { 0 };
	int fd;
	Elf *elf = open_module(module, &fd);
	Dwarf_CFI *cfi = dwarf_getcfi_elf(elf);

	assert_non_null(cfi);
	for (uintptr_t at = module->start; at < module->end; at += stride)
		check_address(cfi, module, at, &tally);
	print_message("%s: %lu addresses: %lu guess, %lu end, %lu sp, %lu fp, "
		      "%lu fp slot, %lu signal, %lu opaque (%lu needlessly), "
		      "%lu wrong\n",
		      module->path, tally.addresses, tally.kinds[LA_RULE_GUESS],
		      tally.kinds[LA_RULE_END], tally.kinds[LA_RULE_SP],
		      tally.kinds[LA_RULE_FP], tally.kinds[LA_RULE_FP_SLOT],
		      tally.kinds[LA_RULE_SIGNAL], tally.kinds[LA_RULE_OPAQUE],
		      tally.needlessly_opaque, tally.wrong);
	dwarf_cfi_end(cfi);
	elf_end(elf);
	if (fd >= 0)
		close(fd);
	assert_int_equal(tally.wrong, 0);
	/* There was something to compare. */
	assert_true(tally.kinds[LA_RULE_SP] > 0);
	assert_true(tally.kinds[LA_RULE_SP] + tally.kinds[LA_RULE_FP] >
		    tally.addresses / 4);
}

static const struct la_module *module_of(const void *address)
{
	uint32_t id = la_modules_find((uintptr_t)address);

	assert_int_not_equal(id, 0);
	return la_module_at(id);
}

static void check_library(const char *name, const char *symbol, unsigned stride)
{
	void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);

	if (!library)
		fail_msg("%s", dlerror());
	assert_non_null(dlsym(library, symbol));
	la_modules_refresh();
	check_module(module_of(dlsym(library, symbol)), stride);
	dlclose(library);
}

static void test_libc(void **state)
{
	(void)state;
	check_library("libc.so.6", "puts", 7);
}

static const struct la_module *module_at_base(unsigned long type)
{
	for (uint32_t id = 1; id <= la_modules_count(); id++)
		if (la_module_at(id)->image_start == getauxval(type))
			return la_module_at(id);
	fail();
	return NULL;
}

static void test_loader(void **state)
{
	(void)state;
	check_module(module_at_base(AT_BASE), 3);
}

static void test_mathematics(void **state)
{
	(void)state;
	check_library("libm.so.6", "sin", 13);
}

static void test_libstdcxx(void **state)
{
	(void)state;
	check_library("libstdc++.so.6", "_Znwm", 7);
}

static void test_libgcc(void **state)
{
	(void)state;
	check_library("libgcc_s.so.1", "_Unwind_RaiseException", 1);
}

static void test_hand_written_assembly(void **state)
{
	(void)state;
	check_library("libcrypto.so.3", "SHA256_Update", 23);
}

static void test_main_program(void **state)
{
	(void)state;
	check_module(la_module_at(1), 1);
}

static void test_kernels_object(void **state)
{
	(void)state;
	check_module(module_at_base(AT_SYSINFO_EHDR), 1);
}

/* ---- single addresses ---- */

static uintptr_t restorer(void)
{
	unsigned char *code = dlsym(RTLD_DEFAULT, "gsignal");
	static const unsigned char call[] = { 0x48, 0xc7, 0xc0, 0x0f,
					      0x00, 0x00, 0x00, 0x0f, 0x05 };
	const struct la_module *module = module_of(code);

	/* mov $15, %rax; syscall: rt_sigreturn. */
	code = memmem((void *)module->start, module->end - module->start, call,
		      sizeof(call));
	assert_non_null(code);
	return (uintptr_t)code;
}

static void test_signal_trampoline(void **state)
{
	uintptr_t address = restorer();
	struct la_rule rule =
		la_unwind_learn(address, module_of((void *)address));

	(void)state;
	assert_int_equal(rule.kind, LA_RULE_SIGNAL);
	assert_int_equal(rule.fp_rule, LA_FP_SAVED);
	/* struct ucontext on the stack: 40 bytes, then rbp, rsp, rip. */
	assert_int_equal(rule.fp, 40 + 10 * 8);
	assert_int_equal(rule.slot, 40 + 15 * 8);
	assert_int_equal(rule.cfa, 40 + 16 * 8);
}

static void test_errno_is_kept(void **state)
{
	const struct la_module *module = la_module_at(1);

	(void)state;
	errno = 1234;
	la_unwind_learn(module->start + 100, module);
	assert_int_equal(errno, 1234);
}

static int boot(void **state)
{
	(void)state;
	return la_unwind_boot() || la_modules_boot();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_libc),
		cmocka_unit_test(test_loader),
		cmocka_unit_test(test_mathematics),
		cmocka_unit_test(test_libstdcxx),
		cmocka_unit_test(test_libgcc),
		cmocka_unit_test(test_hand_written_assembly),
		cmocka_unit_test(test_main_program),
		cmocka_unit_test(test_kernels_object),
		cmocka_unit_test(test_signal_trampoline),
		cmocka_unit_test(test_errno_is_kept),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
