/*
 * malloc and free, as short as they can be: when blocks are sampled, most calls
 * only count down and jump on to the next allocator. The rest of both is in
 * hooks_malloc.c.
 *
 * This file is compiled with sibling calls, and no other of the agent: the
 * frame of a hook must stay while its stack is captured. LA_STAYING sees to that
 * here.
 */

#include "agent/hooks_malloc.h"

#include <stdlib.h>

/* A call that the hook's own frame outlives. */
#define LA_STAYING(call)                                                       \
	({                                                                     \
		__auto_type result_ = (call);                                  \
		__asm__ volatile("" : "+r"(result_));                          \
		result_;                                                       \
	})

/*
 * What sampling lets pass is not shielded from allocators that call the hooks
 * themselves, as calls that are recorded are: what those ask for may be sampled
 * too.
 */
LA_EXPORT void *malloc(size_t size)
{
	struct la_state *state = la_state_of_thread;

	if (la_unlikely(la_called_by_loader(LA_CALLER) || !la_hook_open(state)))
		return LA_STAYING(la_malloc_carefully(size, LA_FRAME, LA_CALLER));
	if (la_tracker_samples() &&
	    la_likely(!la_sampler_reaches(&state->sampler, size)))
		return la_real.malloc(size);
	return LA_STAYING(la_malloc_wanted(state, size, LA_FRAME));
}

LA_EXPORT void free(void *block)
{
	if (la_unlikely(la_called_by_loader(LA_CALLER)))
		LA_STAYING(la_free_recorded(block, LA_FRAME, LA_CALLER));
	else if (la_unlikely(!block || la_bootstrap_owns(block)))
		return;
	else if (la_tracker_passes(la_state_of_thread, block))
		la_real.free(block);
	else
		LA_STAYING(la_free_recorded(block, LA_FRAME, LA_CALLER));
}
