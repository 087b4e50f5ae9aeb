/* See tracker.h. */

#include "agent/tracker.h"

#include "agent/arch.h"
#include "agent/early.h"
#include "agent/estimates.h"
#include "agent/events.h"
#include "agent/frames.h"
#include "agent/growth.h"
#include "agent/lock.h"
#include "agent/modules.h"
#include "agent/sites.h"
#include "agent/stack.h"
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

static bool recording(void)
{
	return la_mode_now() == LA_MODE_ON;
}

void la_tracker_begin(struct la_state *state)
{
	la_state_enter_tracker(state);
}

static void apply_events(struct la_state *state);

/* A signal that was to end the program while the thread was inside. */
static void __attribute__((noinline)) terminate(const struct la_state *state)
{
	raise((int)state->terminate);
}

/*
 * What waits is recorded before the thread leaves: a handler that comes then
 * finds everything in order, and leaves nothing behind that waits.
 */
static inline void end(struct la_state *state)
{
	if (la_unlikely(state->pending))
		apply_events(state);
	la_state_leave_tracker(state);
	if (la_unlikely(state->terminate))
		terminate(state);
}

void la_tracker_end(struct la_state *state)
{
	end(state);
}

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
		end(state);
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

static inline uint64_t recordable(uint64_t bytes)
{
	return bytes <= LA_HEAP_MOST_BYTES ? bytes : LA_HEAP_MOST_BYTES;
}

/* Counts what was allocated. */
static inline void count(struct la_state *state, uint32_t site, uint64_t bytes)
{
	if (la_unlikely(la_sampler_interval))
		la_estimates_add(site, bytes, la_sampler_interval);
	else
		la_state_count(state, site, bytes);
}

/* What a recorded block of so many bytes stands for. */
static inline int64_t scaled(uint64_t bytes)
{
	return (int64_t)(la_unlikely(la_sampler_interval) ?
				 la_sampler_scale(bytes, la_sampler_interval) :
				 bytes);
}

/*
 * The block becomes live, which was counted before: a thread may wait for a core
 * at any point, and a snapshot that is taken meanwhile must not find more live
 * than was ever allocated.
 */
static inline void insert_block(struct la_state *state, uintptr_t address,
				uint64_t bytes, uint32_t site)
{
	struct la_block block = { bytes, site };

	if (la_unlikely(!la_live_insert(address, block)))
		la_drop();
	else
		la_growth_note(state, scaled(bytes));
}

static inline void record_block(struct la_state *state, uintptr_t address,
				uint64_t bytes, uint32_t site)
{
	if (la_unlikely(!site)) {
		la_drop();
		return;
	}
	count(state, site, recordable(bytes));
	insert_block(state, address, recordable(bytes), site);
}

static void record_map(struct la_state *state, uintptr_t start, uint64_t bytes,
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

/* ---- handlers that have interrupted the tracker ---- */

/* The thread may be counting what it holds, too: so not there. */
static void count_aside(uint32_t site, uint64_t bytes)
{
	if (la_sampler_interval)
		la_estimates_add(site, bytes, la_sampler_interval);
	else
		la_sites_count(site, 1, bytes);
}

/* Of a block that may have come and gone. */
static void apply_block(struct la_state *state, const struct la_event *event,
			bool gone)
{
	uint64_t bytes = recordable(event->bytes);
	uint32_t node = la_stack_node(event->frames, event->capture);
	uint32_t site = node ? la_sites_heap(node) : 0;

	if (!site) {
		la_drop();
		return;
	}
	count_aside(site, bytes);
	if (!gone)
		insert_block(state, event->address, bytes, site);
}

static void apply(struct la_state *state, const struct la_event *event)
{
	struct la_block was;

	switch (event->kind) {
	case LA_EVENT_BLOCK:
		apply_block(state, event, false);
		break;
	case LA_EVENT_BLOCK_PASSED:
		apply_block(state, event, true);
		break;
	case LA_EVENT_BLOCK_GONE:
		if (la_live_remove(event->address, &was))
			la_growth_note(state, -scaled(was.bytes));
		break;
	case LA_EVENT_MAP:
		record_map(state, event->address, event->bytes,
			   la_stack_node(event->frames, event->capture));
		break;
	case LA_EVENT_MAP_GONE:
		la_maps_discard(la_maps_take(event->address,
					     event->address + event->bytes));
		break;
	case LA_EVENT_DONE:
		break;
	}
}

/*
 * Whether a handler may touch the records: not while its thread holds a lock, a
 * part of the table's or all of them in fork; and not before what still waits.
 */
static bool may_record(struct la_state *state)
{
	if (la_lock_any_held())
		return false;
	if (la_events_busy(state) && la_events_replayable(state))
		apply_events(state);
	return !la_events_busy(state);
}

/* Records what a handler made, or keeps it for later. */
static void note(struct la_state *state, enum la_event_kind kind,
		 uintptr_t address, uint64_t bytes, const void *frame)
{
	bool at_once = may_record(state);
	struct la_event *event = la_events_reserve(state);

	if (!event)
		return;
	event->kind = kind;
	event->address = address;
	event->bytes = bytes;
	/* What was interrupted seldom comes from the loader. */
	event->capture = la_stack_walk(state, la_arch_caller(frame),
				       event->frames,
				       !la_lock_any_held() &&
					       !la_modules_suspected());
	if (at_once) {
		apply(state, event);
		la_events_give_back(state, event);
		/* Those of handlers that have interrupted this one. */
		apply_events(state);
	} else {
		la_events_commit(event);
	}
}

/* Keeps for later that something is gone. */
static void postpone_end(struct la_state *state, enum la_event_kind kind,
			 uintptr_t address, uint64_t bytes)
{
	struct la_event *event = la_events_reserve(state);

	if (!event)
		return;
	event->kind = kind;
	event->address = address;
	event->bytes = bytes;
	la_events_commit(event);
}

static void __attribute__((noinline)) apply_events(struct la_state *state)
{
	const struct la_event *event;

	while ((event = la_events_next(state)))
		apply(state, event);
}

static bool taken(struct la_state *state, size_t bytes)
{
	return !la_sampler_interval ||
	       la_sampler_takes(&state->sampler, bytes);
}

/* With full care nobody has asked yet whether the block is sampled. */
static void __attribute__((noinline))
track_block_carefully(struct la_state *state, const void *block, size_t bytes,
		      const void *frame)
{
	struct la_registers registers;
	uint32_t site;

	if (!recording())
		return;
	if (la_state_inside_tracker(state)) {
		if (taken(state, bytes))
			note(state, LA_EVENT_BLOCK, (uintptr_t)block, bytes,
			     frame);
		return;
	}
	la_state_enter_tracker(state);
	if (taken(state, bytes)) {
		registers = la_arch_caller(frame);
		site = la_trail_recall(state, registers);
		if (!site)
			site = la_trail_heap_site(state, registers);
		if (la_unlikely(la_verify_wanted))
			la_verify(registers, site ? la_site_at(site)->node : 0);
		record_block(state, (uintptr_t)block, bytes, site);
		state->last_block = block;
	}
	end(state);
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
		la_state_count(state, site, recordable(bytes));
		if (la_unlikely(!la_shadow_insert((uintptr_t)block, bytes,
						  site)))
			insert_block(state, (uintptr_t)block,
				     recordable(bytes), site);
	} else {
		record_block(state, (uintptr_t)block, bytes, site);
	}
	state->last_block = block;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (la_unlikely(state->pending))
		apply_events(state);
	state->aside = 0;
	if (la_unlikely(state->terminate))
		terminate(state);
}

void la_track_early(struct la_state *state, const struct la_early_block *early)
{
	struct la_capture capture = { .count = 1, .truncated = true };
	uint32_t frame, node;

	if (!recording())
		return;
	la_state_enter_tracker(state);
	if (taken(state, early->bytes)) {
		frame = la_frames_find(early->caller - 1, true);
		node = frame ? la_stack_node(&frame, capture) : 0;
		record_block(state, (uintptr_t)early->block, early->bytes,
			     node ? la_sites_heap(node) : 0);
	}
	end(state);
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
	end(state);
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
		postpone_end(state, LA_EVENT_BLOCK_GONE, address, 0);
	if (found)
		la_growth_note(state, -scaled(was->bytes));
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
		la_growth_note(state, -scaled(was->bytes));
	end(state);
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
	la_growth_note(state, scaled(was->bytes));
	if (!inside)
		end(state);
}

void la_track_map(struct la_state *state, uintptr_t start, size_t length,
		  const void *frame)
{
	bool inside;

	if (!recording())
		return;
	inside = begin_calmly(state);
	if (inside)
		note(state, LA_EVENT_MAP, start, length, frame);
	else
		record_map(state, start, length, capture(state, frame));
	end_calmly(state, inside);
}

struct la_map *la_untrack_map(struct la_state *state, uintptr_t start,
			      size_t length)
{
	struct la_map *taken = NULL;
	bool inside = begin_calmly(state);

	if (inside && !may_record(state))
		postpone_end(state, LA_EVENT_MAP_GONE, start, length);
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
	if (!recording() || la_state_inside_tracker(state))
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
