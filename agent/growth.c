/* See growth.h. */

#include "agent/growth.h"

/* Live bytes gained before the shared sum is told, as a part of the limit. */
enum { PARTS = 64 };

uint64_t la_growth_limit;

static int64_t since_restart __attribute__((aligned(64)));
static void (*on_grown)(void);

void la_growth_add(struct la_state *state, int64_t bytes)
{
	int64_t limit = (int64_t)la_growth_limit, sum;

	state->growth += bytes;
	if (state->growth < limit / PARTS && state->growth > -limit / PARTS)
		return;
	sum = __atomic_add_fetch(&since_restart, state->growth,
				 __ATOMIC_RELAXED);
	state->growth = 0;
	/* Whoever takes the sum back to 0 tells: once for each growth. */
	if (sum >= limit &&
	    __atomic_compare_exchange_n(&since_restart, &sum, 0, false,
					__ATOMIC_RELAXED, __ATOMIC_RELAXED))
		on_grown();
}

void la_growth_watch(uint64_t bytes, void (*grew)(void))
{
	on_grown = grew;
	la_growth_limit = bytes;
}

void la_growth_restart(void)
{
	__atomic_store_n(&since_restart, 0, __ATOMIC_RELAXED);
}
