/* See verify.h. */

#define _GNU_SOURCE /* RTLD_DEFAULT, _dl_find_object */

#include "agent/verify.h"

#include "agent/frames.h"
#include "agent/lock.h"
#include "agent/modules.h"
#include "agent/quiet.h"
#include "agent/real.h"
#include "agent/sites.h"
#include "agent/stack.h"
#include "agent/unwind_cursor.h"

#include "agent/format/keys.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	MOST_DESCRIBED = 4, /* differences */
	AROUND = 6 /* frames of each stack that a description shows */
};

struct place {
	uintptr_t pc;
	uint32_t module;
};

struct side {
	unsigned count;
	struct place places[AROUND];
};

struct difference {
	uint32_t at; /* frames before it, from the leaf, are alike */
	enum la_walk_end end; /* of libunwind's walk */
	struct side ours;     /* from there outwards */
	struct side theirs;
	bool other_object; /* the place is the same, but not what is loaded */
};

/* One walk beside a captured stack. */
struct comparison {
	uint32_t node; /* what is left of the captured stack */
	unsigned shown;
	bool was_jit, differs;
	struct difference found;
};

bool la_verify_wanted;

static uint64_t stacks, different;

/* Kept under LA_LOCK_FRAMES, read by the agent's thread. */
static struct difference described[MOST_DESCRIBED];
static uint32_t described_count;

/* Lock-free, glibc's since 2.35; NULL: objects are not compared. */
static int (*find_object)(void *address, struct dl_find_object *result);

/* ---- comparing ---- */

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), wanted = strlen(end);

	return wanted <= length && !strcmp(text + length - wanted, end);
}

/*
 * Whether the loader has that very object there now. While it loads one it may
 * not say yet.
 */
static bool still_loaded(struct place place)
{
	const struct la_module *module;
	struct dl_find_object object;
	const char *name;

	if (!find_object || find_object((void *)place.pc, &object))
		return true;
	if (!place.module)
		return false;
	module = la_module_at(place.module);
	name = object.dlfo_link_map->l_name;
	if (name[0] == '.' && name[1] == '/')
		name += 2;
	return (uintptr_t)object.dlfo_eh_frame == module->eh_frame_hdr &&
	       (!strchr(name, '/') || ends_with(module->path, name));
}

static struct place place_of(uintptr_t pc)
{
	return (struct place){ pc, la_modules_find(pc) };
}

/* Whether the next captured frame is this one. */
static bool is_next(const struct comparison *comparison, struct place place)
{
	const struct la_frame *frame;
	uint32_t id;

	if (comparison->node == LA_ROOT_NODE)
		return false;
	id = la_node_at(comparison->node).frame;
	frame = la_frame_at(id);
	if (id < LA_FRAME_FIRST)
		return id == LA_FRAME_ID_JIT && !place.module;
	return frame->address == place.pc && frame->module == place.module;
}

static void show(struct side *side, struct place place)
{
	if (side->count < AROUND)
		side->places[side->count++] = place;
}

static bool compare_place(struct comparison *comparison, struct place place)
{
	struct difference *found = &comparison->found;

	if (comparison->differs) {
		show(&found->theirs, place);
		return found->theirs.count < AROUND;
	}
	found->other_object = !still_loaded(place);
	comparison->differs =
		found->other_object || comparison->shown == la_stack_depth() ||
		!is_next(comparison, place);
	if (comparison->differs) {
		show(&found->theirs, place);
		return true;
	}
	comparison->node = la_node_at(comparison->node).caller;
	comparison->shown++;
	return true;
}

static bool is_cut(uint32_t node)
{
	return node != LA_ROOT_NODE &&
	       la_node_at(node).frame == LA_FRAME_ID_TRUNCATED &&
	       la_node_at(node).caller == LA_ROOT_NODE;
}

static bool compare_frame(void *argument, uintptr_t pc)
{
	struct comparison *comparison = argument;
	struct place place = place_of(pc);
	bool again = !place.module && comparison->was_jit;

	comparison->was_jit = !place.module;
	if (again || (place.module && la_module_at(place.module)->ours))
		return true;
	/* Both are deeper than is kept. */
	if (comparison->shown == la_stack_depth() && is_cut(comparison->node))
		return false;
	return compare_place(comparison, place);
}

/* Whether the captured stack ends as the walk did. */
static bool ends_alike(const struct comparison *comparison,
		       enum la_walk_end end)
{
	if (end == LA_WALK_END && comparison->shown)
		return comparison->node == LA_ROOT_NODE;
	return end != LA_WALK_ASTRAY && is_cut(comparison->node);
}

static void show_rest(struct comparison *comparison)
{
	uint32_t node = comparison->node;

	comparison->found.at = comparison->shown;
	for (; node != LA_ROOT_NODE; node = la_node_at(node).caller) {
		uint32_t id = la_node_at(node).frame;
		const struct la_frame *frame = la_frame_at(id);
		struct place place = { frame->address, frame->module };

		if (id < LA_FRAME_FIRST)
			place.pc = id;
		show(&comparison->found.ours, place);
	}
}

/* Whether libunwind finds the captured stack; else *found tells what instead. */
static bool same_stack(struct la_registers registers, uint32_t node,
		       struct difference *found)
{
	struct comparison comparison = { .node = node };
	enum la_walk_end end =
		la_cursor_walk(registers, compare_frame, &comparison);

	if (!comparison.differs && ends_alike(&comparison, end))
		return true;
	comparison.found.end = end;
	show_rest(&comparison);
	*found = comparison.found;
	return false;
}

void la_verify(struct la_registers registers, uint32_t node)
{
	struct difference found;
	bool same;

	/* While it is quiet, the cursor cannot ask what can be read. */
	if (!node || la_node_at(node).frame == LA_FRAME_ID_UNTRACKED ||
	    la_quiet_now())
		return;
	same = same_stack(registers, node, &found);
	/* libunwind's memory takes a return address for an interrupted one. */
	if (!same) {
		la_cursor_forget();
		same = same_stack(registers, node, &found);
	}
	__atomic_add_fetch(&stacks, 1, __ATOMIC_RELAXED);
	if (same)
		return;
	__atomic_add_fetch(&different, 1, __ATOMIC_RELAXED);
	la_lock(LA_LOCK_FRAMES);
	if (described_count < MOST_DESCRIBED)
		described[described_count++] = found;
	la_unlock(LA_LOCK_FRAMES);
}

struct la_verified la_verify_result(void)
{
	return (struct la_verified){
		.stacks = __atomic_load_n(&stacks, __ATOMIC_RELAXED),
		.different = __atomic_load_n(&different, __ATOMIC_RELAXED),
	};
}

int la_verify_boot(void)
{
	void *symbol = dlsym(RTLD_DEFAULT, "_dl_find_object");

	la_real_forget_error();
	memcpy(&find_object, &symbol, sizeof(symbol));
	la_verify_wanted = true;
	return la_cursor_remember();
}

/* ---- describing ---- */

struct text {
	char *to;
	unsigned left; /* with the terminator */
};

static void __attribute__((format(printf, 2, 3)))
say(struct text *text, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text->to, text->left, format, arguments);
	va_end(arguments);
	if (length < 0 || (unsigned)length >= text->left)
		length = text->left ? (int)text->left - 1 : 0;
	text->to += length;
	text->left -= (unsigned)length;
}

static void say_side(struct text *text, const struct side *side)
{
	for (unsigned i = 0; i < side->count; i++) {
		struct place place = side->places[i];
		const struct la_module *module;
		const char *base;

		if (!place.module) {
			say(text, " %s",
			    place.pc == LA_FRAME_ID_TRUNCATED ?
				    LA_FRAME_TRUNCATED :
				    LA_FRAME_JIT);
			continue;
		}
		module = la_module_at(place.module);
		base = strrchr(module->path, '/');
		say(text, " %s+0x%" PRIxPTR, base ? base + 1 : module->path,
		    place.pc - module->start + module->file_offset);
	}
}

bool la_verify_describe(unsigned number, char *to, unsigned size)
{
	static const char *const ends[] = {
		[LA_WALK_STOPPED] = "",
		[LA_WALK_END] = " (end)",
		[LA_WALK_LOST] = " (lost)",
		[LA_WALK_ASTRAY] = " (the hook's caller is not there)",
	};
	struct text text = { to, size };
	struct difference found;
	bool have;

	la_lock(LA_LOCK_FRAMES);
	have = number < described_count;
	if (have)
		found = described[number];
	la_unlock(LA_LOCK_FRAMES);
	if (!have)
		return false;
	say(&text, "frame %" PRIu32 ": agent:", found.at);
	say_side(&text, &found.ours);
	say(&text, "; libunwind:");
	say_side(&text, &found.theirs);
	say(&text, "%s%s", ends[found.end],
	    found.other_object ? " (something else is loaded there)" : "");
	return true;
}
