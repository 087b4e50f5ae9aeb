/* What hooks_quick.c needs of hooks_malloc.c. `frame` is the hook's. */
#ifndef LA_HOOKS_MALLOC_H
#define LA_HOOKS_MALLOC_H

#include "agent/hook.h"

#include <stdbool.h>
#include <stddef.h>

/* The loader allocates and frees through the hooks when it loads and unloads. */
static inline bool la_called_by_loader(uintptr_t caller)
{
	return la_in_range(la_loader_range, caller);
}

static inline void la_watch_loader(uintptr_t caller)
{
	if (la_unlikely(la_called_by_loader(caller)))
		la_modules_suspect();
}

/*
 * malloc and free in every case; when nothing stands in the way of tracking; and
 * malloc when, besides, la_sampler_reaches. Those of free return true.
 */
void *la_malloc_carefully(size_t size, const void *frame, uintptr_t caller);
void *la_malloc_wanted(struct la_state *state, size_t size, const void *frame);
void *la_malloc_reached(struct la_state *state, size_t size, const void *frame);
bool la_free_carefully(void *block, const void *frame, uintptr_t caller);
bool la_free_wanted(struct la_state *state, void *block, const void *frame);

#endif
