/*
 * What a signal handler did while its thread was inside the tracker. Most of it
 * is recorded at once, and only needs room for its stack; what would have to
 * wait for the thread itself is recorded once the tracker is through. Only the
 * thread itself touches its events.
 */
#ifndef LA_EVENTS_H
#define LA_EVENTS_H

#include "agent/stack.h"
#include "agent/state.h"

#include <stdbool.h>
#include <stdint.h>

enum la_event_kind {
	LA_EVENT_BLOCK,
	LA_EVENT_BLOCK_PASSED, /* one that is gone already */
	LA_EVENT_BLOCK_GONE,
	LA_EVENT_MAP,
	LA_EVENT_MAP_GONE,
	LA_EVENT_DONE /* recorded already */
};

struct la_event {
	enum la_event_kind kind;
	bool ready; /* events.c: it was filled in */
	uintptr_t address;
	uint64_t bytes;
	struct la_capture capture;
	uint32_t frames[LA_MOST_FRAMES];
};

/*
 * Room for one more event, or NULL: then it is counted as dropped. Another
 * handler may reserve and commit before this one is committed; if it never is,
 * since its handler has jumped away, it counts as dropped, too.
 */
struct la_event *la_events_reserve(struct la_state *state);
void la_events_commit(struct la_event *event);

/* In place of that: it was recorded and need not wait. */
void la_events_give_back(struct la_state *state, struct la_event *event);

/*
 * Of a block that waits to be recorded: it is gone. False when none waits at
 * this address.
 */
bool la_events_pass(struct la_state *state, uintptr_t address);

/* Whether any waits or is being recorded: what comes now must, too. */
bool la_events_busy(const struct la_state *state);

/*
 * Of events that wait: whether a handler may take them out, since neither its
 * thread nor another handler is at it.
 */
bool la_events_replayable(const struct la_state *state);

/* Whether the event that was taken last is of this block, and being recorded. */
bool la_events_recording(const struct la_state *state, uintptr_t address);

/* The oldest event, valid until the next call, or NULL: then all are recorded. */
const struct la_event *la_events_next(struct la_state *state);

#endif
