/*
 * See events.h. A ring, because a handler may add while the thread takes out:
 * the handler runs to its end first, so neither ever sees the other halfway.
 */

#include "agent/events.h"

#include "agent/memory.h"

enum { RING = 64 };

struct la_events {
	uint32_t added, taken;
	uintptr_t recording; /* the block of the event that was taken last */
	struct la_event ring[RING];
};

struct la_event *la_events_reserve(struct la_state *state)
{
	struct la_events *events = state->pending;

	if (!events) {
		events = la_memory_map(sizeof(*events));
		state->pending = events;
	}
	/* The oldest may still be read by the code that was interrupted. */
	if (!events || events->added - events->taken >= RING - 1) {
		la_drop();
		return NULL;
	}
	return &events->ring[events->added % RING];
}

void la_events_commit(struct la_state *state)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	state->pending->added++;
}

bool la_events_pass(struct la_state *state, uintptr_t address)
{
	struct la_events *events = state->pending;

	if (!events)
		return false;
	for (uint32_t at = events->added; at-- != events->taken;) {
		struct la_event *event = &events->ring[at % RING];

		if (event->kind == LA_EVENT_BLOCK &&
		    event->address == address) {
			event->kind = LA_EVENT_BLOCK_PASSED;
			return true;
		}
	}
	return false;
}

bool la_events_wait(const struct la_state *state)
{
	return state->pending->taken != state->pending->added;
}

bool la_events_recording(const struct la_state *state, uintptr_t address)
{
	return state->pending && state->pending->recording == address;
}

const struct la_event *la_events_next(struct la_state *state)
{
	struct la_events *events = state->pending;
	const struct la_event *event;

	if (!events)
		return NULL;
	events->recording = 0;
	if (!la_events_wait(state))
		return NULL;
	event = &events->ring[events->taken % RING];
	if (event->kind == LA_EVENT_BLOCK)
		events->recording = event->address;
	/* A handler finds the block waiting, or being recorded. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	events->taken++;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return event;
}
