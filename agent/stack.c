/* See stack.h. */

#include "agent/stack.h"

#include "agent/frames.h"
#include "agent/modules.h"
#include "agent/sites.h"

static unsigned most_frames = 64;

void la_stack_set_depth(unsigned depth)
{
	most_frames = depth;
}

unsigned la_stack_depth(void)
{
	return most_frames;
}

struct la_capture la_stack_walk(struct la_state *state,
				struct la_registers registers, uint32_t *frames,
				bool patient)
{
	struct la_capture capture = { 0 };
	uintptr_t limit = la_stack_limit(state, registers.sp);
	uint32_t last = 0;

	/* States that threads share are used under a lock. */
	if (patient && !state->spare && la_unlikely(la_modules_suspected()))
		la_modules_refresh();
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
			limit = la_stack_limit(state, registers.sp);
			continue;
		case LA_STEP_END:
			return capture;
		case LA_STEP_LOST:
			break;
		}
		break;
	}
	capture.truncated = true;
	return capture;
}

uint32_t la_stack_node(const uint32_t *frames, struct la_capture capture)
{
	uint32_t node = LA_ROOT_NODE;
	uint32_t left = capture.count;

	if (capture.truncated || !left) {
		node = la_sites_node(node, LA_FRAME_ID_TRUNCATED);
		if (!node)
			return 0;
	}
	while (left-- > 0) {
		node = la_sites_node(node, frames[left]);
		if (!node)
			return 0;
	}
	return node;
}
