/* See state.h. */

#include "agent/state.h"

#include "agent/lock.h"
#include "agent/memory.h"
#include "agent/sites.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

uint32_t la_mode = LA_MODE_PASSIVE;
__thread struct la_state *la_state_of_thread;
struct la_state la_state_gone = { .spare = true };

/* States in use, and those of threads that ended; under LA_LOCK_STATES. */
static struct la_state *all, *unused;

static pthread_key_t at_thread_end;
static bool have_key;
static uint64_t drops;

void la_drop(void)
{
	__atomic_add_fetch(&drops, 1, __ATOMIC_RELAXED);
}

uint64_t la_drops(void)
{
	return __atomic_load_n(&drops, __ATOMIC_RELAXED);
}

bool la_state_inside_spare(void)
{
	return la_lock_held(LA_LOCK_SPARE);
}

void la_state_enter_spare(void)
{
	la_lock(LA_LOCK_SPARE);
}

void la_state_leave_spare(void)
{
	la_unlock(LA_LOCK_SPARE);
}

static void release(struct la_held *held)
{
	if (held->objects)
		la_sites_count(held->site, held->objects, held->bytes);
	held->objects = 0;
	held->bytes = 0;
}

void la_state_hold(struct la_state *state, struct la_held *held, uint32_t site)
{
	__atomic_add_fetch(&state->held_version, 1, __ATOMIC_ACQ_REL);
	release(held);
	held->site = site;
	__atomic_add_fetch(&state->held_version, 1, __ATOMIC_RELEASE);
}

static void sum_state(const struct la_state *state, struct la_counts *totals,
		      uint32_t most)
{
	for (unsigned i = 0; i < LA_HELD_COUNTS; i++) {
		const struct la_held *held = &state->held[i];

		if (held->objects && held->site <= most) {
			totals[held->site].objects += held->objects;
			totals[held->site].bytes += held->bytes;
		}
	}
}

void la_state_sum_held(struct la_counts *totals, uint32_t most)
{
	la_lock(LA_LOCK_STATES);
	for (const struct la_state *state = all; state; state = state->next)
		sum_state(state, totals, most);
	sum_state(&la_state_gone, totals, most);
	la_unlock(LA_LOCK_STATES);
}

/* A move that is under way makes the sum uneven, and so unequal later. */
uint64_t la_state_moves(void)
{
	uint64_t moves = 0;

	la_lock(LA_LOCK_STATES);
	for (const struct la_state *state = all; state; state = state->next)
		moves += __atomic_load_n(&state->held_version,
					 __ATOMIC_ACQUIRE);
	la_unlock(LA_LOCK_STATES);
	return moves;
}

/* Under LA_LOCK_STATES. */
static void retire(struct la_state *state)
{
	__atomic_add_fetch(&state->held_version, 1, __ATOMIC_ACQ_REL);
	for (unsigned i = 0; i < LA_HELD_COUNTS; i++)
		release(&state->held[i]);
	__atomic_add_fetch(&state->held_version, 1, __ATOMIC_RELEASE);
	state->next = unused;
	unused = state;
}

static void unlink_state(struct la_state *state)
{
	struct la_state **link = &all;

	while (*link && *link != state)
		link = &(*link)->next;
	if (*link)
		*link = state->next;
}

/*
 * Runs among the destructors of the thread's own data. Others may allocate
 * after it: it asks to run again as often as there are rounds.
 */
static void thread_ends(void *argument)
{
	struct la_state *state = la_state_of_thread;
	uintptr_t round = (uintptr_t)argument;

	if (round < PTHREAD_DESTRUCTOR_ITERATIONS) {
		pthread_setspecific(at_thread_end, (void *)(round + 1));
		return;
	}
	la_state_of_thread = &la_state_gone;
	if (!state || state == &la_state_gone)
		return;
	la_lock(LA_LOCK_STATES);
	unlink_state(state);
	retire(state);
	la_unlock(LA_LOCK_STATES);
}

int la_state_boot(void)
{
	int error = pthread_key_create(&at_thread_end, thread_ends);

	have_key = !error;
	return -error;
}

static void prepare(struct la_state *state)
{
	struct la_events *pending = state->pending;
	struct la_trail *trail = state->trail;

	/* What was mapped for an earlier thread serves the next. */
	memset(state, 0, sizeof(*state));
	state->pending = pending;
	state->trail = trail;
	state->frame_mask = UINTPTR_MAX;
}

struct la_state *la_state_create(void)
{
	struct la_state *state;

	/* A handler that interrupted this very function must not wait. */
	if (la_lock_held(LA_LOCK_STATES) || la_lock_held(LA_LOCK_MEMORY))
		return NULL;
	la_lock(LA_LOCK_STATES);
	state = unused;
	if (state)
		unused = state->next;
	else
		state = la_memory_keep(sizeof(*state));
	if (state) {
		prepare(state);
		state->next = all;
		all = state;
	}
	la_unlock(LA_LOCK_STATES);
	if (!state)
		return NULL;
	la_state_of_thread = state;
	if (have_key) {
		/* May allocate where the host has made many keys before us. */
		state->own++;
		pthread_setspecific(at_thread_end, (void *)1);
		state->own--;
	}
	return state;
}

void la_state_after_fork(void)
{
	struct la_state *mine = la_state_of_thread;
	struct la_state *state = all;

	all = NULL;
	while (state) {
		struct la_state *next = state->next;

		if (state == mine) {
			state->next = all;
			all = state;
		} else {
			retire(state);
		}
		state = next;
	}
}
