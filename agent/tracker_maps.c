/* Mappings and threads, see tracker.h. */

#include "agent/tracker.h"

#include "agent/lock.h"
#include "agent/tracker_parts.h"
#include "agent/trail.h"
#include "agent/verify.h"

/*
 * For mappings and threads, whose calls are not the allocator's: a handler may
 * interrupt them anywhere and never return, or stop the thread until another
 * one has mapped memory. So none interrupts what is recorded of them. True when
 * the thread was inside the tracker already: then it is a handler that has
 * interrupted what is recorded of a block, which holds none of the locks that
 * are needed here.
 */
static bool begin_calmly(struct la_state *state)
{
	bool inside;

	la_calm_begin();
	inside = la_state_inside_tracker(state);
	if (!inside)
		la_state_enter_tracker(state);
	return inside;
}

static void end_calmly(struct la_state *state, bool inside)
{
	if (!inside)
		la_tracker_leave(state);
	la_calm_end();
}

static uint32_t capture(struct la_state *state, const void *frame)
{
	struct la_registers registers = la_arch_caller(frame);
	uint32_t node = la_trail_capture(state, registers);

	if (la_unlikely(la_verify_wanted))
		la_verify(registers, node);
	return node;
}

void la_record_map(struct la_state *state, uintptr_t start, uint64_t bytes,
		   uint32_t node)
{
	uint32_t site = node ? la_sites_other(node, LA_KIND_ID_MMAP, 0) : 0;

	if (site)
		la_sites_count(site, 1, bytes);
	if (site && la_maps_add(start, start + bytes, site))
		la_growth_note(state, (int64_t)bytes);
	else
		la_drop();
}

void la_track_map(struct la_state *state, uintptr_t start, size_t length,
		  const void *frame)
{
	bool inside;

	if (!la_tracker_recording())
		return;
	inside = begin_calmly(state);
	if (inside)
		la_tracker_note(state, LA_EVENT_MAP, start, length, frame);
	else
		la_record_map(state, start, length, capture(state, frame));
	end_calmly(state, inside);
}

struct la_map *la_untrack_map(struct la_state *state, uintptr_t start,
			      size_t length)
{
	struct la_map *taken = NULL;
	bool inside = begin_calmly(state);

	if (inside && !la_tracker_may_record(state))
		la_tracker_note_end(state, LA_EVENT_MAP_GONE, start, length);
	else
		taken = la_maps_take(start, start + length);
	end_calmly(state, inside);
	return taken;
}

void la_untrack_map_done(struct la_state *state, struct la_map *taken)
{
	bool inside;

	if (!taken)
		return;
	inside = begin_calmly(state);
	la_growth_note(state, -(int64_t)la_maps_taken_bytes(taken));
	la_maps_discard(taken);
	end_calmly(state, inside);
}

void la_untrack_map_failed(struct la_state *state, struct la_map *taken)
{
	bool inside;

	if (!taken)
		return;
	inside = begin_calmly(state);
	la_maps_restore(taken);
	end_calmly(state, inside);
}

static void count_growth(uint32_t site, uint64_t bytes)
{
	la_sites_count(site, 0, bytes);
}

void la_remap(struct la_state *state, struct la_map *taken, uintptr_t from,
	      uintptr_t to, size_t length, bool keeps_old)
{
	int64_t before;
	bool inside;

	if (!taken)
		return;
	inside = begin_calmly(state);
	before = (int64_t)la_maps_taken_bytes(taken);
	if (keeps_old) {
		la_maps_copy(taken, from, to, length, count_growth);
		la_maps_restore(taken);
		before = 0;
	} else {
		la_maps_move(taken, from, to, length, count_growth);
	}
	la_growth_note(state, (int64_t)length - before);
	end_calmly(state, inside);
}

struct la_host_thread *la_track_thread(struct la_state *state,
				       size_t stack_size, bool detached,
				       const void *frame)
{
	struct la_host_thread *thread = NULL;
	uint32_t node, site;

	/* Handlers do not create threads; if one does, it is not counted. */
	if (!la_tracker_recording() || la_state_inside_tracker(state))
		return NULL;
	begin_calmly(state);
	node = capture(state, frame);
	site = node ? la_sites_other(node, LA_KIND_ID_THREAD, stack_size) : 0;
	if (site)
		thread = la_threads_prepare(site, detached);
	if (!thread)
		la_drop();
	end_calmly(state, false);
	return thread;
}
