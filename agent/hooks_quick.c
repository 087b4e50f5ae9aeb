/*
 * malloc, free and what some call as often, as short as they can be: when blocks
 * are sampled, most calls only count down and jump on to the next allocator. The
 * rest is in hooks_malloc.c.
 *
 * This file is compiled with sibling calls, and no other of the agent: the
 * frame of a hook must stay while its stack is captured. LA_STAYING sees to that
 * here.
 */

#include "agent/hooks_malloc.h"
#include "agent/shadow.h"

#include <malloc.h>
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
	enum la_care care = la_tracker_care_of_all();

	if (la_unlikely(la_called_by_loader(LA_CALLER) ||
			!la_hook_outside(state) || care == LA_CARE_FULL))
		return LA_STAYING(la_malloc_carefully(size, LA_FRAME, LA_CALLER));
	/* The shorter way is the one that code falls through. */
	if (la_unlikely(care == LA_CARE_NONE))
		return LA_STAYING(la_malloc_wanted(state, size, LA_FRAME));
	if (la_likely(!la_sampler_reaches(&state->sampler, size)))
		return la_real.malloc(size);
	return LA_STAYING(la_malloc_reached(state, size, LA_FRAME));
}

LA_EXPORT void free(void *block)
{
	struct la_state *state = la_state_of_thread;

	if (la_unlikely(la_called_by_loader(LA_CALLER)))
		LA_STAYING(la_free_carefully(block, LA_FRAME, LA_CALLER));
	else if (la_unlikely(la_bootstrap_owns(block)))
		return;
	else if (la_likely(la_tracker_passes(state, block)))
		la_real.free(block);
	else if (la_likely(la_hook_outside(state) &&
			   la_tracker_care_of_all() != LA_CARE_FULL))
		LA_STAYING(la_free_wanted(state, block, LA_FRAME));
	else
		LA_STAYING(la_free_carefully(block, LA_FRAME, LA_CALLER));
}

LA_EXPORT size_t malloc_usable_size(void *block)
{
	if (la_unlikely(!block))
		return 0;
	if (la_unlikely(la_bootstrap_owns(block)))
		return la_bootstrap_size(block);
	/* Asked by those who are about to free or to resize it. */
	if (!la_tracker_samples())
		la_shadow_expect((uintptr_t)block);
	return la_likely(la_real_ready()) ? la_real.malloc_usable_size(block) :
					    0;
}
