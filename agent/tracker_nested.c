/* Handlers that have interrupted the tracker, see tracker_parts.h. */

#include "agent/tracker_parts.h"

#include "agent/arch.h"
#include "agent/lock.h"
#include "agent/maps.h"
#include "agent/modules.h"
#include "agent/stack.h"

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
	uint64_t bytes = la_record_bytes(event->bytes);
	uint32_t node = la_stack_node(event->frames, event->capture);
	uint32_t site = node ? la_sites_heap(node) : 0;

	if (!site) {
		la_drop();
		return;
	}
	count_aside(site, bytes);
	if (!gone)
		la_record_live(state, event->address, bytes, site);
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
			la_growth_note(state, -la_record_scaled(was.bytes));
		break;
	case LA_EVENT_MAP:
		la_record_map(state, event->address, event->bytes,
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

bool la_tracker_may_record(struct la_state *state)
{
	if (la_lock_any_held())
		return false;
	if (la_events_busy(state) && la_events_replayable(state))
		la_tracker_apply(state);
	return !la_events_busy(state);
}

static struct la_event *new_event(struct la_state *state,
				  enum la_event_kind kind, uintptr_t address,
				  uint64_t bytes)
{
	struct la_event *event = la_events_reserve(state);

	if (!event)
		return NULL;
	event->kind = kind;
	event->address = address;
	event->bytes = bytes;
	return event;
}

void la_tracker_note(struct la_state *state, enum la_event_kind kind,
		     uintptr_t address, uint64_t bytes, const void *frame)
{
	bool at_once = la_tracker_may_record(state);
	struct la_event *event = new_event(state, kind, address, bytes);

	if (!event)
		return;
	/* What was interrupted seldom comes from the loader. */
	event->capture = la_stack_walk(state, la_arch_caller(frame),
				       event->frames,
				       !la_lock_any_held() &&
					       !la_modules_suspected());
	if (at_once) {
		apply(state, event);
		la_events_give_back(state, event);
		/* Those of handlers that have interrupted this one. */
		la_tracker_apply(state);
	} else {
		la_events_commit(event);
	}
}

void la_tracker_note_end(struct la_state *state, enum la_event_kind kind,
			 uintptr_t address, uint64_t bytes)
{
	struct la_event *event = new_event(state, kind, address, bytes);

	if (event)
		la_events_commit(event);
}

void la_tracker_apply(struct la_state *state)
{
	const struct la_event *event;

	while ((event = la_events_next(state)))
		apply(state, event);
}
