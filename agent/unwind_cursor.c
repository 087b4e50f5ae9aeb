/* See unwind_cursor.h. */

#include "agent/unwind_cursor.h"

#include "agent/modules.h"
#include "agent/system.h"
#include "agent/unwind.h"
#include "agent/unwind_library.h"

#include <errno.h>
#include <string.h>

enum {
	PAGE = 4096,
	PAGES = 64,    /* that are known to be readable */
	OWN_FRAMES = 32, /* the agent's own, at most, before `from` */
	/* More than any stack has: a broken one may lead in circles. */
	MOST_FRAMES = 1 << 22
};

struct walk {
	struct la_unwind_target target; /* first: it is all libunwind knows */
	uint64_t registers[LA_ARCH_UNW_REGISTERS]; /* to start from */
	bool guessed; /* preserved registers other than these are unknown */
	bool exact;   /* pc is no return address */
	struct la_registers from;
	bool (*visit)(void *argument, uintptr_t pc);
	void *argument;
	enum la_walk_end end;
	const struct la_module *module; /* the last that was found */
	uintptr_t readable[PAGES];
};

/* With a memory of its own; NULL: the one that has none is used. */
static unw_addr_space_t remembering;
static uint32_t remembered_generation; /* under LA_LOCK_LEARN */

static bool page_readable(struct walk *walk, uintptr_t address)
{
	uintptr_t page = address / PAGE;
	uintptr_t *known = &walk->readable[page % PAGES];

	if (!page)
		return false;
	if (*known == page)
		return true;
	/* Nothing near is known to be readable. */
	if (!la_unwind_readable(address & -sizeof(uintptr_t), ~address))
		return false;
	*known = page;
	return true;
}

static bool read_memory(struct la_unwind_target *target, uintptr_t address,
			uint64_t *value)
{
	struct walk *walk = (struct walk *)target;

	if (!page_readable(walk, address) ||
	    !page_readable(walk, address + sizeof(*value) - 1))
		return false;
	memcpy(value, (const void *)address, sizeof(*value));
	return true;
}

static bool get_register(struct la_unwind_target *target, unsigned number,
			 uint64_t *value)
{
	const struct walk *walk = (const struct walk *)target;

	*value = walk->registers[number];
	return number == LA_ARCH_UNW_PC || number == LA_ARCH_UNW_SP ||
	       number == LA_ARCH_UNW_FP ||
	       (!walk->guessed && LA_ARCH_PRESERVED(number));
}

static const struct la_module *find_module(struct la_unwind_target *target,
					   uintptr_t address)
{
	struct walk *walk = (struct walk *)target;

	if (!walk->module || address < walk->module->start ||
	    address >= walk->module->end) {
		uint32_t id = la_modules_find(address);

		walk->module = id ? la_module_at(id) : NULL;
	}
	return walk->module;
}

static uint64_t value_of(unw_cursor_t *cursor, int number)
{
	unw_word_t value;

	return la_libunwind.get_reg(cursor, number, &value) ? 0 : value;
}

static bool start(struct walk *walk, unw_cursor_t *cursor)
{
	return la_libunwind.init_remote(
		       cursor, remembering ? remembering : la_libunwind.space,
		       walk) >= 0;
}

/*
 * After libunwind has guessed: it is restarted with the right stack pointer,
 * and at an address within the call.
 */
static bool restart(struct walk *walk, unw_cursor_t *cursor, uint64_t fp)
{
	walk->registers[LA_ARCH_UNW_PC] = value_of(cursor, UNW_REG_IP) - 1;
	walk->registers[LA_ARCH_UNW_SP] = fp + 2 * sizeof(uintptr_t);
	walk->registers[LA_ARCH_UNW_FP] = value_of(cursor, LA_ARCH_UNW_FP);
	walk->guessed = true;
	walk->exact = true;
	return start(walk, cursor);
}

/* Whether the walk can go on in the caller that was found. */
static bool arrive(struct walk *walk, unw_cursor_t *cursor, uint64_t fp)
{
	if (walk->target.no_information)
		return restart(walk, cursor, fp);
	walk->exact = la_libunwind.is_signal_frame(cursor) > 0;
	return true;
}

/* Whether there is a caller; else walk->end tells why not. */
static bool step(struct walk *walk, unw_cursor_t *cursor)
{
	uint64_t fp = value_of(cursor, LA_ARCH_UNW_FP);
	bool failed_guess;
	int result;

	walk->target.no_information = false;
	result = la_libunwind.step(cursor);
	failed_guess = !result && walk->target.no_information && fp;
	if (result > 0 && value_of(cursor, UNW_REG_IP)) {
		if (arrive(walk, cursor, fp))
			return true;
		failed_guess = true;
	}
	walk->end = result < 0 || failed_guess ? LA_WALK_LOST : LA_WALK_END;
	return false;
}

static uintptr_t pc_of(const struct walk *walk, unw_cursor_t *cursor)
{
	return value_of(cursor, UNW_REG_IP) - !walk->exact;
}

static bool arrived(const struct walk *walk, unw_cursor_t *cursor)
{
	return pc_of(walk, cursor) == walk->from.pc &&
	       value_of(cursor, UNW_REG_SP) == walk->from.sp &&
	       value_of(cursor, LA_ARCH_UNW_FP) == walk->from.fp;
}

static void walk_outwards(void *argument)
{
	struct walk *walk = argument;
	uint32_t generation = la_modules_generation();
	unw_cursor_t cursor;
	unsigned own = 0;

	walk->end = LA_WALK_ASTRAY;
	if (generation != remembered_generation)
		la_cursor_forget();
	remembered_generation = generation;
	if (!start(walk, &cursor))
		return;
	while (!arrived(walk, &cursor))
		if (own++ == OWN_FRAMES || !step(walk, &cursor)) {
			walk->end = LA_WALK_ASTRAY;
			return;
		}
	for (unsigned frames = 0; frames < MOST_FRAMES; frames++) {
		if (!walk->visit(walk->argument, pc_of(walk, &cursor))) {
			walk->end = LA_WALK_STOPPED;
			return;
		}
		if (!step(walk, &cursor))
			return;
	}
	walk->end = LA_WALK_LOST;
}

enum la_walk_end __attribute__((noinline))
la_cursor_walk(struct la_registers from,
	       bool (*visit)(void *argument, uintptr_t pc), void *argument)
{
	struct walk walk = {
		.target = { read_memory, get_register, find_module, false },
		.exact = true,
		.from = from,
		.visit = visit,
		.argument = argument,
	};

	la_arch_context(walk.registers);
	la_libunwind_call(walk_outwards, &walk);
	return walk.end;
}

int la_cursor_remember(void)
{
	remembering = la_libunwind_space();
	if (!remembering)
		return -ENOMEM;
	la_libunwind.set_caching_policy(remembering, UNW_CACHE_GLOBAL);
	return 0;
}

void la_cursor_forget(void)
{
	if (remembering)
		la_libunwind.flush_cache(remembering, 0, 0);
}
