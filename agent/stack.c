/* See stack.h. */

#include "agent/stack.h"

#include "agent/frames.h"
#include "agent/memory.h"
#include "agent/modules.h"
#include "agent/sites.h"
#include "agent/unwind_cursor.h"

/*
 * Of stacks, in one walk. On one stack each step leads further up, but between
 * them what is broken may lead in circles.
 */
enum { MOST_CHANGES = 1000 };

/* Of a stack that is only searched. */
enum { MOST_STEPS = 10000 };

static unsigned most_frames = 64;

void la_stack_set_depth(unsigned depth)
{
	most_frames = depth;
}

unsigned la_stack_depth(void)
{
	return most_frames;
}

/* What libunwind's own cursor finds. */
struct found {
	struct la_capture capture;
	bool was_jit;
	uintptr_t addresses[LA_MOST_FRAMES];
};

static bool note_frame(void *argument, uintptr_t address)
{
	struct found *found = argument;
	uint32_t module = la_modules_find(address);
	bool again = !module && found->was_jit;

	found->was_jit = !module;
	if (again || (module && la_module_at(module)->ours))
		return true;
	if (found->capture.count == most_frames)
		return false;
	found->addresses[found->capture.count++] = address;
	return true;
}

/* The same as la_stack_walk, whatever unwind information there is; slow. */
static struct la_capture __attribute__((noinline))
walk_with_cursor(struct la_registers registers, uint32_t *frames)
{
	struct found *found = la_memory_map(sizeof(*found));
	struct la_capture capture = { .truncated = true };

	if (!found)
		return capture;
	found->capture.truncated =
		la_cursor_walk(registers, note_frame, found) != LA_WALK_END;
	for (; capture.count < found->capture.count; capture.count++) {
		frames[capture.count] =
			la_frames_find(found->addresses[capture.count], true);
		if (!frames[capture.count])
			break;
	}
	capture.truncated = found->capture.truncated ||
			    capture.count < found->capture.count;
	la_memory_unmap(found, sizeof(*found));
	return capture;
}

struct la_capture la_stack_walk(struct la_state *state,
				struct la_registers registers, uint32_t *frames,
				bool patient)
{
	const struct la_registers leaf = registers;
	struct la_capture capture = { 0 };
	uintptr_t limit = la_stack_limit(state, registers.sp);
	uint32_t last = 0;
	unsigned changes = 0;

	for (;;) {
		uint32_t id = la_frames_find(registers.pc, patient);
		const struct la_frame *frame;

		if (!id)
			break;
		frame = la_frame_at(id);
		if (!frame->ours && !(id == LA_FRAME_ID_JIT && id == last)) {
			if (capture.count == most_frames)
				break;
			frames[capture.count++] = id;
		}
		last = id;
		switch (la_unwind_step(&frame->rule, &registers, limit)) {
		case LA_STEP_CALLER:
			continue;
		case LA_STEP_INTERRUPTED:
		case LA_STEP_ELSEWHERE:
			if (++changes > MOST_CHANGES)
				break;
			limit = la_stack_limit(state, registers.sp);
			continue;
		case LA_STEP_END:
			return capture;
		case LA_STEP_LOST:
			if (patient && frame->rule.kind == LA_RULE_OPAQUE)
				return walk_with_cursor(leaf, frames);
			break;
		}
		break;
	}
	capture.truncated = true;
	return capture;
}

bool la_stack_has(const struct la_state *state, struct la_registers registers,
		  bool (*wanted)(uintptr_t pc))
{
	for (unsigned i = 0; i < MOST_STEPS; i++) {
		uint32_t id = la_frames_find(registers.pc, true);

		if (wanted(registers.pc))
			return true;
		if (!id || la_unwind_step(&la_frame_at(id)->rule, &registers,
					  la_stack_limit(state, registers.sp)) >=
				   LA_STEP_END)
			return false;
	}
	return false;
}

uint32_t la_stack_node(const uint32_t *frames, struct la_capture capture)
{
	uint32_t node = LA_ROOT_NODE;
	uint32_t left = capture.count;

	if (capture.truncated || !left) {
		node = la_node_find(node, LA_FRAME_ID_TRUNCATED);
		if (!node)
			return 0;
	}
	while (left-- > 0) {
		node = la_node_find(node, frames[left]);
		if (!node)
			return 0;
	}
	return node;
}
