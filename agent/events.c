/*
 * See events.h. A ring, because a handler may add while the thread takes out:
 * the handler runs to its end first, so the thread never sees it halfway. But
 * another handler may interrupt it, which is why a place is taken in one step
 * and says itself when it is filled in.
 */

#include "agent/events.h"

#include "agent/memory.h"

/* A power of two, so that the counts may wrap round. */
enum { CHUNK = 64, CHUNKS = 16, RING = CHUNK * CHUNKS };

struct la_events {
	uint32_t added, taken;
	bool replaying; /* since the first was taken, until none is left */
	uintptr_t recording; /* the block of the event that was taken last */
	struct la_event *chunks[CHUNKS]; /* each mapped when it is needed */
};

static struct la_event *place(const struct la_events *events, uint32_t at)
{
	return &events->chunks[at / CHUNK % CHUNKS][at % CHUNK];
}

static bool waits(const struct la_events *events)
{
	return events->taken != events->added;
}

/* Makes what is not there yet. Another handler may come first. */
static void *have(void **there, size_t bytes)
{
	void *none = NULL, *fresh;

	if (*there)
		return *there;
	fresh = la_memory_map(bytes);
	if (fresh && !__atomic_compare_exchange_n(there, &none, fresh, false,
						  __ATOMIC_RELAXED,
						  __ATOMIC_RELAXED))
		la_memory_unmap(fresh, bytes);
	return *there;
}

/* A place of the ring's own for the caller, or NULL when there is none. */
static struct la_event *claim(struct la_events *events)
{
	uint32_t at = __atomic_load_n(&events->added, __ATOMIC_RELAXED);

	do {
		/* The oldest may still be read by what was interrupted. */
		if (at - events->taken >= RING - 1 ||
		    !have((void **)&events->chunks[at / CHUNK % CHUNKS],
			  CHUNK * sizeof(struct la_event)))
			return NULL;
	} while (!__atomic_compare_exchange_n(&events->added, &at, at + 1,
					      false, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return place(events, at);
}

struct la_event *la_events_reserve(struct la_state *state)
{
	struct la_events *events =
		have((void **)&state->pending, sizeof(*events));
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

	if (last != events->taken && event == place(events, last - 1) &&
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
		struct la_event *event = place(events, at);

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

bool la_events_replayable(const struct la_state *state)
{
	const struct la_events *events = state->pending;

	if (events->replaying)
		return false;
	for (uint32_t at = events->taken; at != events->added; at++)
		if (!place(events, at)->ready)
			return false;
	return true;
}

bool la_events_recording(const struct la_state *state, uintptr_t address)
{
	return state->pending && state->pending->recording == address;
}

/* The oldest place, which is free from now on for whoever adds. */
static struct la_event *take(struct la_events *events)
{
	struct la_event *event = place(events, events->taken);

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
