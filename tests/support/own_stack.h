/* Where the calling thread's stack is: told to the agent, as at its boot. */
#ifndef TESTS_OWN_STACK_H
#define TESTS_OWN_STACK_H

#include "agent/state.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

static inline void know_stack(uintptr_t low, uintptr_t high)
{
	struct la_state *state = la_state_get();

	state->stack_low = low;
	state->stack_high = high;
}

static inline void know_own_stack(void)
{
	pthread_attr_t attributes;
	void *low;
	size_t size;

	pthread_getattr_np(pthread_self(), &attributes);
	pthread_attr_getstack(&attributes, &low, &size);
	pthread_attr_destroy(&attributes);
	know_stack((uintptr_t)low, (uintptr_t)low + size);
}

#endif
