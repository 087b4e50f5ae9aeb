/*
 * See events.h. A ring, because a handler may add while the thread takes out:
 * the handler runs to its end first, so the thread never sees it halfway. But
 * another handler may interrupt it, which is why a place is taken in one step
 * and says itself when it is filled in.
 */

#include "agent/events.h"

#include "agent/memory.h"

enum { RING = 64 };

struct la_events {
	uint32_t added, taken;
	bool replaying; /* since the first was taken, until none is left */
	uintptr_t recording; /* the block of the event that was taken last */
	struct la_event ring[RING];
};

static bool waits(const struct la_events *events)
{
	return events->taken != events->added;
}

/* The thread's ring, made when it is first needed, or NULL. */
static struct la_events *ring_of(struct la_state *state)
{
	struct la_events *none = NULL, *events;

	if (state->pending)
		return state->pending;
	events = la_memory_map(sizeof(*events));
	/* Another handler may have come first. */
	if (!__atomic_compare_exchange_n(&state->pending, &none, events, false,
					 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		la_memory_unmap(events, sizeof(*events));
	return state->pending;
}

/* A place of the ring's own for the caller, or NULL when there is none. */
static struct la_event *claim(struct la_events *events)
{
	uint32_t at = __atomic_load_n(&events->added, __ATOMIC_RELAXED);

	do {
		/* The oldest may still be read by what was interrupted. */
		if (at - events->taken >= RING - 1)
			return NULL;
	} while (!__atomic_compare_exchange_n(&events->added, &at, at + 1,
					      false, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return &events->ring[at % RING];
}

struct la_event *la_events_reserve(struct la_state *state)
{
	struct la_events *events = ring_of(state);
	struct la_event *event = events ? claim(events) : NULL;

	if (!event)
		la_drop();
	return event;
}

void la_events_commit(struct la_event *event)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	event->ready = true;
}

/* Handlers end in the reverse order, unless one of them still waits. */
void la_events_give_back(struct la_state *state, struct la_event *event)
{
	struct la_events *events = state->pending;
	uint32_t last = __atomic_load_n(&events->added, __ATOMIC_RELAXED);

	if (event == &events->ring[(last - 1) % RING] &&
	    __atomic_compare_exchange_n(&events->added, &last, last - 1, false,
					__ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return;
	event->kind = LA_EVENT_DONE;
	la_events_commit(event);
}

bool la_events_pass(struct la_state *state, uintptr_t address)
{
	struct la_events *events = state->pending;

	if (!events)
		return false;
	for (uint32_t at = events->added; at-- != events->taken;) {
		struct la_event *event = &events->ring[at % RING];

		if (event->ready && event->kind == LA_EVENT_BLOCK &&
		    event->address == address) {
			event->kind = LA_EVENT_BLOCK_PASSED;
			return true;
		}
	}
	return false;
}

bool la_events_busy(const struct la_state *state)
{
	return state->pending &&
	       (state->pending->replaying || waits(state->pending));
}

bool la_events_recording(const struct la_state *state, uintptr_t address)
{
	return state->pending && state->pending->recording == address;
}

/* The oldest place, which is free from now on for whoever adds. */
static struct la_event *take(struct la_events *events)
{
	struct la_event *event = &events->ring[events->taken % RING];

	events->replaying = true;
	if (event->ready && event->kind == LA_EVENT_BLOCK)
		events->recording = event->address;
	/* A handler finds the block waiting, or being recorded. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	events->taken++;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return event;
}

const struct la_event *la_events_next(struct la_state *state)
{
	struct la_events *events = state->pending;

	if (!events)
		return NULL;
	events->recording = 0;
	while (waits(events)) {
		struct la_event *event = take(events);
		bool ready = event->ready;

		event->ready = false;
		if (ready)
			return event;
		la_drop();
	}
	events->replaying = false;
	return NULL;
}
