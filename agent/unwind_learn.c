/* Learning unwind rules, see unwind.h. */

#include "agent/unwind.h"

#include "agent/unwind_library.h"

#include <string.h>

enum { MOST_READS = 24 };

/*
 * Marked values. Register r starts as REGISTER_MARK + r * SPREAD; the n-th
 * address that libunwind reads in marked space yields MEMORY_MARK + n * SPREAD.
 * None of them is an address that a user process can have.
 */
#define REGISTER_MARK UINT64_C(0x1000000080000000)
#define MEMORY_MARK UINT64_C(0x2000000080000000)
#define SPREAD (UINT64_C(1) << 32)
/* A register that the unwind information says nothing about. */
#define UNKNOWN UINT64_C(0x3000000080000000)

struct probe {
	struct la_unwind_target target; /* first: it is all libunwind knows */
	const struct la_module *module;
	uintptr_t address;
	struct la_rule rule;
	unsigned reads;
	uint64_t read_at[MOST_READS];
};

/* What a marked value says: the register or read it comes from, and more. */
struct origin {
	enum { FROM_ELSEWHERE, FROM_REGISTER, FROM_MEMORY } from;
	unsigned which;
	int32_t offset;
};

static struct origin origin_of(uint64_t value)
{
	struct origin origin = { FROM_ELSEWHERE, 0, 0 };
	uint64_t base = value >> 60 == 1 ? REGISTER_MARK : MEMORY_MARK;

	if (value >> 60 != 1 && value >> 60 != 2)
		return origin;
	origin.from = value >> 60 == 1 ? FROM_REGISTER : FROM_MEMORY;
	/* Offsets of either sign around the middle of a mark's reach. */
	origin.which = (unsigned)((value - base + SPREAD / 2) / SPREAD);
	origin.offset = (int32_t)(value - base - origin.which * SPREAD);
	return origin;
}

/* Unwind tables and code lie in the object itself. */
static bool readable(const struct probe *probe, uint64_t address)
{
	return address >= probe->module->image_start &&
	       address + sizeof(unw_word_t) <= probe->module->image_end;
}

static bool read_memory(struct la_unwind_target *target, uintptr_t address,
			uint64_t *value)
{
	struct probe *probe = (struct probe *)target;
	struct origin origin = origin_of(address);

	if (origin.from == FROM_ELSEWHERE) {
		if (!readable(probe, address))
			return false;
		memcpy(value, (const void *)address, sizeof(*value));
		return true;
	}
	for (unsigned i = 0; i < probe->reads; i++)
		if (probe->read_at[i] == address) {
			*value = MEMORY_MARK + i * SPREAD;
			return true;
		}
	if (probe->reads == MOST_READS)
		return false;
	probe->read_at[probe->reads] = address;
	*value = MEMORY_MARK + probe->reads++ * SPREAD;
	return true;
}

static bool get_register(struct la_unwind_target *target, unsigned number,
			 uint64_t *value)
{
	const struct probe *probe = (const struct probe *)target;

	*value = number == LA_ARCH_UNW_PC ? probe->address :
					    REGISTER_MARK + number * SPREAD;
	return true;
}

static const struct la_module *find_module(struct la_unwind_target *target,
					   uintptr_t address)
{
	(void)address;
	return ((const struct probe *)target)->module;
}

/* Where a value of the caller was read from. */
static bool read_from(const struct probe *probe, uint64_t value,
		      struct origin *place)
{
	struct origin origin = origin_of(value);

	if (origin.from != FROM_MEMORY || origin.offset ||
	    origin.which >= probe->reads)
		return false;
	*place = origin_of(probe->read_at[origin.which]);
	return place->from == FROM_REGISTER;
}

static bool describe_fp(const struct probe *probe, struct la_rule *rule,
			uint64_t fp, unsigned base, int32_t base_offset)
{
	struct origin origin = origin_of(fp), place;

	if (fp == UNKNOWN) {
		rule->fp_rule = LA_FP_LOST;
		return true;
	}
	if (origin.from == FROM_REGISTER && origin.which == LA_ARCH_UNW_FP &&
	    !origin.offset) {
		rule->fp_rule = LA_FP_SAME;
		return true;
	}
	if (!read_from(probe, fp, &place) || place.which != base)
		return false;
	rule->fp_rule = LA_FP_SAVED;
	rule->fp = place.offset - base_offset;
	return true;
}

/*
 * A signal's trampoline: everything is saved relative to the stack pointer, and
 * so is the stack pointer itself. Only such a frame's caller was interrupted.
 */
static bool describe_signal(const struct probe *probe, struct la_rule *rule,
			    uint64_t pc, uint64_t sp, uint64_t fp)
{
	struct origin place;

	rule->kind = LA_RULE_SIGNAL;
	if (!read_from(probe, sp, &place) || place.which != LA_ARCH_UNW_SP ||
	    place.offset != (int16_t)place.offset)
		return false;
	rule->slot = (int16_t)place.offset;
	if (!read_from(probe, pc, &place) || place.which != LA_ARCH_UNW_SP)
		return false;
	rule->cfa = place.offset;
	return describe_fp(probe, rule, fp, LA_ARCH_UNW_SP, 0);
}

/* CFA = *(fp + slot) + cfa, as functions that realign their stack have it. */
static bool describe_realigned(const struct probe *probe, struct la_rule *rule,
			       uint64_t pc, uint64_t cfa, uint64_t fp)
{
	struct origin origin = origin_of(cfa);
	struct origin slot = origin_of(probe->read_at[origin.which]);
	struct origin place;

	if (slot.from != FROM_REGISTER || slot.which != LA_ARCH_UNW_FP ||
	    slot.offset != (int16_t)slot.offset)
		return false;
	rule->kind = LA_RULE_FP_SLOT;
	rule->slot = (int16_t)slot.offset;
	rule->cfa = origin.offset;
	/* The return address lies relative to the CFA, a value that was read. */
	struct origin at = origin_of(pc);

	if (at.from != FROM_MEMORY || at.which >= probe->reads ||
	    probe->read_at[at.which] != cfa + LA_ARCH_RETURN_ADDRESS_OFFSET)
		return false;
	/* The frame pointer is saved relative to itself: *(fp + 0), as a rule. */
	if (!read_from(probe, fp, &place) || place.which != LA_ARCH_UNW_FP)
		return false;
	rule->fp_rule = LA_FP_SAVED;
	rule->fp = place.offset;
	return true;
}

static bool describe_plain(const struct probe *probe, struct la_rule *rule,
			   uint64_t pc, uint64_t cfa, uint64_t fp)
{
	struct origin origin = origin_of(cfa), place;

	if (origin.from != FROM_REGISTER ||
	    (origin.which != LA_ARCH_UNW_SP && origin.which != LA_ARCH_UNW_FP))
		return false;
	rule->kind = origin.which == LA_ARCH_UNW_SP ? LA_RULE_SP : LA_RULE_FP;
	rule->cfa = origin.offset;
	if (!read_from(probe, pc, &place) || place.which != origin.which ||
	    place.offset != origin.offset + LA_ARCH_RETURN_ADDRESS_OFFSET)
		return false;
	return describe_fp(probe, rule, fp, origin.which, origin.offset);
}

static struct la_rule describe(const struct probe *probe, unw_cursor_t *cursor)
{
	struct la_rule rule = { 0 };
	unw_word_t pc, sp, fp;
	bool known;

	if (la_libunwind.get_reg(cursor, UNW_REG_IP, &pc) ||
	    la_libunwind.get_reg(cursor, UNW_REG_SP, &sp))
		return (struct la_rule){ .kind = LA_RULE_OPAQUE };
	if (!pc)
		return (struct la_rule){ .kind = LA_RULE_END };
	if (la_libunwind.get_reg(cursor, LA_ARCH_UNW_FP, &fp))
		fp = UNKNOWN;
	/* The stack pointer was read from the stack: saved, or realigned. */
	if (origin_of(sp).from == FROM_MEMORY)
		known = describe_signal(probe, &rule, pc, sp, fp) ||
			describe_realigned(probe, &rule, pc, sp, fp);
	else
		known = describe_plain(probe, &rule, pc, sp, fp);
	if (!known)
		rule.kind = LA_RULE_OPAQUE;
	return rule;
}

static void probe_once(void *argument)
{
	struct probe *probe = argument;
	unw_cursor_t cursor;

	probe->rule.kind = LA_RULE_OPAQUE;
	if (la_libunwind.init_remote(&cursor, la_libunwind.space, probe) < 0)
		return;
	int result = la_libunwind.step(&cursor);

	if (probe->target.no_information)
		probe->rule.kind = LA_RULE_GUESS;
	else if (result == 0)
		probe->rule.kind = LA_RULE_END;
	else if (result > 0)
		probe->rule = describe(probe, &cursor);
}

const void *la_unwind_library(void)
{
	const void *address;

	memcpy(&address, &la_libunwind.step, sizeof(address));
	return address;
}

struct la_rule la_unwind_learn(uintptr_t address,
			       const struct la_module *module)
{
	struct probe probe = {
		.target = { read_memory, get_register, find_module, false },
		.module = module,
		.address = address,
	};

	la_libunwind_call(probe_once, &probe);
	return probe.rule;
}

int la_unwind_boot(void)
{
	return la_libunwind_load();
}
