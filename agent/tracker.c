/* See tracker.h. */

#include "agent/tracker.h"

#include "agent/arch.h"
#include "agent/early.h"
#include "agent/frames.h"
#include "agent/sites.h"
#include "agent/stack.h"
#include "agent/tracker_parts.h"
#include "agent/trail.h"
#include "agent/verify.h"

#include <signal.h>

uint32_t la_tracker_care = LA_CARE_FULL;

void la_tracker_set_mode(enum la_mode mode)
{
	bool on = mode == LA_MODE_ON;
	enum la_care care = LA_CARE_FULL;

	if (on && la_sampler_interval)
		care = LA_CARE_SAMPLED;
	else if (on && !la_growth_limit && !la_verify_wanted)
		care = LA_CARE_NONE;
	__atomic_store_n(&la_mode, mode, __ATOMIC_RELEASE);
	__atomic_store_n(&la_tracker_care, care, __ATOMIC_RELEASE);
}

void la_tracker_be_careful(void)
{
	__atomic_store_n(&la_tracker_care, LA_CARE_FULL, __ATOMIC_RELEASE);
}

void la_tracker_begin(struct la_state *state)
{
	la_state_enter_tracker(state);
}

/* A signal that was to end the program while the thread was inside. */
void la_tracker_terminate(const struct la_state *state)
{
	raise((int)state->terminate);
}

void la_tracker_end(struct la_state *state)
{
	la_tracker_leave(state);
}

static bool taken(struct la_state *state, size_t bytes)
{
	return !la_sampler_interval ||
	       la_sampler_takes(&state->sampler, bytes);
}

static void verify(struct la_registers registers, uint32_t site)
{
	if (la_unlikely(la_verify_wanted))
		la_verify(registers, site ? la_site_at(site)->node : 0);
}

/* With full care nobody has asked yet whether the block is sampled. */
static void __attribute__((noinline))
track_block_carefully(struct la_state *state, const void *block, size_t bytes,
		      const void *frame)
{
	struct la_registers registers;
	uint32_t site;

	if (!la_tracker_recording())
		return;
	if (la_state_inside_tracker(state)) {
		if (taken(state, bytes))
			la_tracker_note(state, LA_EVENT_BLOCK, (uintptr_t)block,
					bytes, frame);
		return;
	}
	la_state_enter_tracker(state);
	if (taken(state, bytes)) {
		registers = la_arch_caller(frame);
		site = la_trail_recall(state, registers);
		if (!site)
			site = la_trail_heap_site(state, registers);
		verify(registers, site);
		la_record_block(state, (uintptr_t)block, bytes, site);
		state->last_block = block;
	}
	la_tracker_leave(state);
}

/* Most blocks are small and come from a stack that is known. */
void la_track_block_now(struct la_state *state, const void *block, size_t bytes,
			const void *frame)
{
	enum la_care care = la_tracker_care_now(state);
	struct la_registers registers = la_arch_caller(frame);
	uint32_t site;

	if (la_unlikely(care == LA_CARE_FULL)) {
		track_block_carefully(state, block, bytes, frame);
		return;
	}
	state->aside = LA_ASIDE_TRACKING;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	site = la_trail_recall(state, registers);
	if (la_unlikely(!site))
		site = la_trail_heap_site(state, registers);
	if (la_likely(site && care == LA_CARE_NONE)) {
		la_state_count(state, site, la_record_bytes(bytes));
		if (la_unlikely(!la_shadow_insert((uintptr_t)block, bytes,
						  site)))
			la_record_live(state, (uintptr_t)block,
				       la_record_bytes(bytes), site);
	} else {
		verify(registers, site);
		la_record_block(state, (uintptr_t)block, bytes, site);
	}
	state->last_block = block;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (la_unlikely(state->pending))
		la_tracker_apply(state);
	state->aside = 0;
	if (la_unlikely(state->terminate))
		la_tracker_terminate(state);
}

void la_track_early(struct la_state *state, const struct la_early_block *early)
{
	struct la_capture capture = { .count = 1, .truncated = true };
	uint32_t frame, node;

	if (!la_tracker_recording())
		return;
	la_state_enter_tracker(state);
	if (taken(state, early->bytes)) {
		frame = la_frames_find(early->caller - 1, true);
		node = frame ? la_stack_node(&frame, capture) : 0;
		la_record_block(state, (uintptr_t)early->block, early->bytes,
				node ? la_sites_heap(node) : 0);
	}
	la_tracker_leave(state);
}

void la_track_size(struct la_state *state, const void *block, size_t bytes)
{
	struct la_block was;

	if (la_state_inside_tracker(state))
		return;
	la_state_enter_tracker(state);
	if (la_live_resize((uintptr_t)block, bytes, &was)) {
		la_state_uncount(state, was.site, was.bytes - bytes);
		la_growth_note(state, -(int64_t)(was.bytes - bytes));
	}
	la_tracker_leave(state);
}

/* In a handler that interrupted the tracker, perhaps where it may not enter. */
static bool __attribute__((noinline))
untrack_inside(struct la_state *state, uintptr_t address, struct la_block *was)
{
	bool found = false;

	if (la_events_pass(state, address))
		return false;
	if (la_events_recording(state, address) ||
	    !la_live_remove_inside(address, was, &found))
		la_tracker_note_end(state, LA_EVENT_BLOCK_GONE, address, 0);
	if (found)
		la_growth_note(state, -la_record_scaled(was->bytes));
	return found;
}

bool la_untrack_block_carefully(struct la_state *state, const void *block,
				struct la_block *was)
{
	uintptr_t address = (uintptr_t)block;
	bool inside = la_state_inside_tracker(state);
	bool found;

	if (la_unlikely(inside))
		return untrack_inside(state, address, was);
	la_state_enter_tracker(state);
	found = la_live_remove(address, was);
	if (la_likely(found))
		la_growth_note(state, -la_record_scaled(was->bytes));
	la_tracker_leave(state);
	return found;
}

void la_retrack_block(struct la_state *state, const void *block,
		      const struct la_block *was)
{
	bool inside = la_state_inside_tracker(state);

	if (!inside)
		la_state_enter_tracker(state);
	if (!la_live_put_back((uintptr_t)block, *was))
		la_drop();
	la_growth_note(state, la_record_scaled(was->bytes));
	if (!inside)
		la_tracker_leave(state);
}
