/*
 * Learning unwind rules, see unwind.h.
 *
 * libunwind is asked through an address space of our own: its local one opens a
 * pipe, checks memory through it, and goes on using those descriptor numbers
 * after the host has closed them. It is loaded with dlopen, not linked: its
 * exported _Unwind_* would replace those of the host's C++ runtime.
 */

#define _GNU_SOURCE /* clone */

#include "agent/unwind.h"

#include "agent/lock.h"
#include "agent/memory.h"
#include "agent/system.h"

#include <dlfcn.h>
#include <errno.h>
#include <libunwind.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>

enum { LEARN_STACK = 256 * 1024, MOST_READS = 24 };

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
	const struct la_module *module;
	uintptr_t address;
	struct la_rule rule;
	bool no_information;
	unsigned reads;
	uint64_t read_at[MOST_READS];
};

/* What a marked value says: the register or read it comes from, and more. */
struct origin {
	enum { FROM_ELSEWHERE, FROM_REGISTER, FROM_MEMORY } from;
	unsigned which;
	int32_t offset;
};

static struct {
	unw_addr_space_t (*create_addr_space)(unw_accessors_t *, int);
	int (*init_remote)(unw_cursor_t *, unw_addr_space_t, void *);
	int (*step)(unw_cursor_t *);
	int (*get_reg)(unw_cursor_t *, int, unw_word_t *);
	int (*search_unwind_table)(unw_addr_space_t, unw_word_t,
				   unw_dyn_info_t *, unw_proc_info_t *, int,
				   void *);
	unw_addr_space_t space;
	char *stack;
} lib;

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

static int access_mem(unw_addr_space_t space, unw_word_t address,
		      unw_word_t *value, int write, void *argument)
{
	struct probe *probe = argument;
	struct origin origin = origin_of(address);

	(void)space;
	if (write)
		return -UNW_EREADONLYREG;
	if (origin.from == FROM_ELSEWHERE) {
		if (!readable(probe, address))
			return -UNW_EINVAL;
		memcpy(value, (const void *)address, sizeof(*value));
		return 0;
	}
	for (unsigned i = 0; i < probe->reads; i++)
		if (probe->read_at[i] == address) {
			*value = MEMORY_MARK + i * SPREAD;
			return 0;
		}
	if (probe->reads == MOST_READS)
		return -UNW_EINVAL;
	probe->read_at[probe->reads] = address;
	*value = MEMORY_MARK + probe->reads++ * SPREAD;
	return 0;
}

static int access_reg(unw_addr_space_t space, unw_regnum_t number,
		      unw_word_t *value, int write, void *argument)
{
	const struct probe *probe = argument;

	(void)space;
	if (write)
		return -UNW_EREADONLYREG;
	if (number < 0 || number >= LA_ARCH_UNW_REGISTERS)
		return -UNW_EBADREG;
	*value = number == LA_ARCH_UNW_PC ?
			 probe->address :
			 REGISTER_MARK + (unsigned)number * SPREAD;
	return 0;
}

static int access_fpreg(unw_addr_space_t space, unw_regnum_t number,
			unw_fpreg_t *value, int write, void *argument)
{
	(void)space, (void)number, (void)value, (void)write, (void)argument;
	return -UNW_EBADREG;
}

/* Only the binary search table that linkers make is understood. */
static int find_proc_info(unw_addr_space_t space, unw_word_t address,
			  unw_proc_info_t *info, int need, void *argument)
{
	enum { UDATA4 = 0x03, DATAREL_SDATA4 = 0x3b, PCREL_SDATA4 = 0x1b };
	struct probe *probe = argument;
	const struct la_module *module = probe->module;
	const uint8_t *header = (const uint8_t *)module->eh_frame_hdr;
	unw_dyn_info_t table = { 0 };
	uint32_t entries;
	int result = -UNW_ENOINFO;

	if (header && header[0] == 1 && header[1] == PCREL_SDATA4 &&
	    header[2] == UDATA4 && header[3] == DATAREL_SDATA4) {
		memcpy(&entries, header + 8, sizeof(entries));
		table.format = UNW_INFO_FORMAT_REMOTE_TABLE;
		table.start_ip = module->start;
		table.end_ip = module->end;
		table.u.rti.segbase = module->eh_frame_hdr;
		table.u.rti.table_data = module->eh_frame_hdr + 12;
		table.u.rti.table_len =
			entries * (uint64_t)8 / sizeof(unw_word_t);
		result = lib.search_unwind_table(space, address, &table, info,
						 need, argument);
	}
	if (result < 0)
		probe->no_information = true;
	return result;
}

static void put_unwind_info(unw_addr_space_t space, unw_proc_info_t *info,
			    void *argument)
{
	(void)space, (void)info, (void)argument;
}

static int get_dyn_info_list_addr(unw_addr_space_t space, unw_word_t *address,
				  void *argument)
{
	(void)space, (void)address, (void)argument;
	return -UNW_ENOINFO;
}

static int resume(unw_addr_space_t space, unw_cursor_t *cursor, void *argument)
{
	(void)space, (void)cursor, (void)argument;
	return -UNW_EINVAL;
}

static int get_proc_name(unw_addr_space_t space, unw_word_t address,
			 char *buffer, size_t size, unw_word_t *offset,
			 void *argument)
{
	(void)space, (void)address, (void)buffer, (void)size, (void)offset;
	(void)argument;
	return -UNW_ENOINFO;
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

	if (lib.get_reg(cursor, UNW_REG_IP, &pc) ||
	    lib.get_reg(cursor, UNW_REG_SP, &sp))
		return (struct la_rule){ .kind = LA_RULE_OPAQUE };
	if (!pc)
		return (struct la_rule){ .kind = LA_RULE_END };
	if (lib.get_reg(cursor, LA_ARCH_UNW_FP, &fp))
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
	if (lib.init_remote(&cursor, lib.space, probe) < 0)
		return;
	int result = lib.step(&cursor);

	if (probe->no_information)
		probe->rule.kind = LA_RULE_GUESS;
	else if (result == 0)
		probe->rule.kind = LA_RULE_END;
	else if (result > 0)
		probe->rule = describe(probe, &cursor);
}

const void *la_unwind_library(void)
{
	const void *address;

	memcpy(&address, &lib.step, sizeof(address));
	return address;
}

struct la_rule la_unwind_learn(uintptr_t address,
			       const struct la_module *module)
{
	struct probe probe = { .module = module, .address = address };
	int host_errno = errno;

	la_lock(LA_LOCK_LEARN);
	la_arch_call_on_stack(probe_once, &probe, lib.stack + LEARN_STACK);
	la_unlock(LA_LOCK_LEARN);
	errno = host_errno;
	return probe.rule;
}

static int load_symbols(void *library)
{
	/* The names that libunwind.h's macros stand for. */
#define STRINGIFY_(x) #x
#define STRINGIFY(x) STRINGIFY_(x)
#define LOAD(member, name)                                                     \
	do {                                                                   \
		void *symbol = dlsym(library, STRINGIFY(name));                \
		if (!symbol)                                                   \
			return -ENOSYS;                                        \
		memcpy(&lib.member, &symbol, sizeof(symbol));                  \
	} while (0)

	LOAD(create_addr_space, unw_create_addr_space);
	LOAD(init_remote, unw_init_remote);
	LOAD(step, unw_step);
	LOAD(get_reg, unw_get_reg);
	/* Not in the public header, but exported for tools such as perf. */
	LOAD(search_unwind_table, UNW_OBJ(dwarf_search_unwind_table));
#undef LOAD
#undef STRINGIFY
#undef STRINGIFY_
	return 0;
}

static int initialise(void *argument)
{
	struct probe *probe = argument;
	unw_cursor_t cursor;

	lib.init_remote(&cursor, lib.space, probe);
	return 0;
}

/*
 * On first use libunwind opens a pipe, to check memory of its own process with,
 * which this address space never needs. In a child that shares memory but not
 * descriptors, that leaves the host's alone; where there can be no such child,
 * the pipe stays.
 */
static void initialise_aside(void)
{
	struct probe probe = { 0 };
	int child = clone(initialise, lib.stack + LEARN_STACK,
			  CLONE_VM | CLONE_VFORK, &probe);

	if (child > 0)
		waitpid(child, NULL, __WALL);
}

int la_unwind_boot(void)
{
	static unw_accessors_t accessors = {
		.find_proc_info = find_proc_info,
		.put_unwind_info = put_unwind_info,
		.get_dyn_info_list_addr = get_dyn_info_list_addr,
		.access_mem = access_mem,
		.access_reg = access_reg,
		.access_fpreg = access_fpreg,
		.resume = resume,
		.get_proc_name = get_proc_name,
	};
	void *library = dlopen("libunwind-x86_64.so.8",
			       RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	int error;

	if (!library)
		return -ENOENT;
	error = load_symbols(library);
	if (error)
		return error;
	lib.stack = la_memory_map(LEARN_STACK);
	if (!lib.stack)
		return -ENOMEM;
	unw_addr_space_t space = lib.create_addr_space(&accessors, 0);

	if (!space)
		return -ENOMEM;
	/*
	 * New address spaces cache nothing, as is wanted: rules are cached here,
	 * and a second cache would outlive a dlclose. (To say so explicitly would
	 * initialise libunwind's local side, pipe and all.)
	 */
	lib.space = space;
	initialise_aside();
	return 0;
}
