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

/* All there ever were, the newest first: read without a lock. */
static struct la_state *newest;
/* Those whose threads ended; under LA_LOCK_STATES. */
static struct la_state *unused;

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
	__atomic_store_n(&held->objects, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&held->bytes, 0, __ATOMIC_RELAXED);
}

/* Only the thread itself writes its version: that takes no locked addition. */
void la_state_hold(struct la_state *state, struct la_held *held, uint32_t site)
{
	uint32_t version = state->held_version;

	__atomic_store_n(&state->held_version, version + 1, __ATOMIC_RELAXED);
	la_arch_order_stores();
	release(held);
	__atomic_store_n(&held->site, site, __ATOMIC_RELAXED);
	__atomic_store_n(&state->held_version, version + 2, __ATOMIC_RELEASE);
}

void la_state_uncount(struct la_state *state, uint32_t site, uint64_t bytes)
{
	struct la_held *held = &state->held[site % LA_HELD_COUNTS];

	if (held->site == site && held->bytes >= bytes)
		__atomic_store_n(&held->bytes, held->bytes - bytes,
				 __ATOMIC_RELAXED);
	else
		/* Unsigned sums wrap round: this takes away. */
		la_sites_count(site, 0, -bytes);
}

/* The thread goes on counting: each word is looked at once. */
static void sum_state(const struct la_state *state, struct la_counts *totals,
		      uint32_t most)
{
	for (unsigned i = 0; i < LA_HELD_COUNTS; i++) {
		const struct la_held *held = &state->held[i];
		uint32_t site = __atomic_load_n(&held->site, __ATOMIC_RELAXED);
		uint32_t objects =
			__atomic_load_n(&held->objects, __ATOMIC_RELAXED);

		if (!objects || site > most)
			continue;
		totals[site].objects += objects;
		totals[site].bytes +=
			__atomic_load_n(&held->bytes, __ATOMIC_RELAXED);
	}
}

static const struct la_state *every_state(void)
{
	return __atomic_load_n(&newest, __ATOMIC_ACQUIRE);
}

/* What states that are not in use hold is nothing. */
void la_state_sum_held(struct la_counts *totals, uint32_t most)
{
	for (const struct la_state *state = every_state(); state;
	     state = state->older)
		sum_state(state, totals, most);
	sum_state(&la_state_gone, totals, most);
}

static bool add_moves(const struct la_state *state, uint64_t *moves)
{
	uint32_t version =
		__atomic_load_n(&state->held_version, __ATOMIC_ACQUIRE);

	*moves += version;
	return version % 2 == 0;
}

bool la_state_moves(uint64_t *moves)
{
	bool settled;

	*moves = 0;
	settled = add_moves(&la_state_gone, moves);
	for (const struct la_state *state = every_state(); state;
	     state = state->older)
		settled = add_moves(state, moves) && settled;
	return settled;
}

/*
 * The version is read before all else: while it stays the same, nothing that is
 * read after it moves. A thread that holds something else by now has counted
 * what it held of the site there already.
 */
static bool add_held_of(const struct la_state *state, uint32_t site,
			struct la_counts *sum, uint64_t *moves)
{
	const struct la_held *held = &state->held[site % LA_HELD_COUNTS];
	uint32_t version =
		__atomic_load_n(&state->held_version, __ATOMIC_ACQUIRE);

	if (__atomic_load_n(&held->site, __ATOMIC_ACQUIRE) != site)
		return true;
	sum->objects += __atomic_load_n(&held->objects, __ATOMIC_ACQUIRE);
	sum->bytes += __atomic_load_n(&held->bytes, __ATOMIC_ACQUIRE);
	*moves += version + UINT64_C(1);
	return version % 2 == 0;
}

bool la_state_held_of(uint32_t site, struct la_counts *sum, uint64_t *moves)
{
	bool settled;

	*moves = 0;
	settled = add_held_of(&la_state_gone, site, sum, moves);
	for (const struct la_state *state = every_state(); state;
	     state = state->older)
		settled = add_held_of(state, site, sum, moves) && settled;
	return settled;
}

/* Under LA_LOCK_STATES. */
static void retire(struct la_state *state)
{
	/* In a forked child, it may have been in the middle of a move. */
	__atomic_or_fetch(&state->held_version, 1, __ATOMIC_ACQ_REL);
	for (unsigned i = 0; i < LA_HELD_COUNTS; i++)
		release(&state->held[i]);
	__atomic_add_fetch(&state->held_version, 1, __ATOMIC_RELEASE);
	state->in_use = false;
	state->next_unused = unused;
	unused = state;
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
	retire(state);
	la_unlock(LA_LOCK_STATES);
}

int la_state_boot(void)
{
	int error = pthread_key_create(&at_thread_end, thread_ends);

	have_key = !error;
	return -error;
}

/* What was mapped for an earlier thread serves the next. */
static void prepare(struct la_state *state)
{
	struct la_events *pending = state->pending;
	struct la_trail *trail = state->trail;
	struct la_state *older = state->older;
	uint32_t held_version = state->held_version;

	memset(state, 0, sizeof(*state));
	state->pending = pending;
	state->trail = trail;
	state->older = older;
	state->held_version = held_version;
	state->frame_mask = UINTPTR_MAX;
	state->in_use = true;
}

/* A state for a thread, or NULL. Under LA_LOCK_STATES. */
static struct la_state *obtain(void)
{
	struct la_state *state = unused;

	if (state) {
		unused = state->next_unused;
		prepare(state);
		return state;
	}
	state = la_memory_keep(sizeof(*state));
	if (!state)
		return NULL;
	state->older = newest;
	prepare(state);
	__atomic_store_n(&newest, state, __ATOMIC_RELEASE);
	return state;
}

static struct la_state *create(void)
{
	struct la_state *state;

	la_lock(LA_LOCK_STATES);
	state = obtain();
	la_unlock(LA_LOCK_STATES);
	if (!state) {
		la_drop();
		return NULL;
	}
	la_state_of_thread = state;
	if (have_key) {
		/* May allocate where the host has made many keys before us. */
		state->own++;
		pthread_setspecific(at_thread_end, (void *)1);
		state->own--;
	}
	return state;
}

struct la_state *la_state_create(void)
{
	struct la_state *state;

	/* A handler that interrupted this very function must not wait. */
	if (la_lock_held(LA_LOCK_STATES) || la_lock_held(LA_LOCK_MEMORY))
		return NULL;
	/* Handlers come before or after: what they do is tracked, too. */
	la_calm_begin();
	state = la_state_of_thread;
	if (!state)
		state = create();
	la_calm_end();
	return state;
}

void la_state_after_fork(void)
{
	for (struct la_state *state = newest; state; state = state->older)
		if (state->in_use && state != la_state_of_thread)
			retire(state);
}
