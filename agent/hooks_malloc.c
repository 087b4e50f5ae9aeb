/*
 * The malloc family; malloc and free begin in hooks_quick.c. Each hook: enter,
 * call the next allocator, tell the tracker. A block that goes away is taken off
 * the record before the allocator is told, one that comes is recorded after: in
 * between, another thread may be given the same address.
 */

#include "agent/hooks_malloc.h"

#include "agent/early.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

struct la_state *la_hook_enter_carefully(const void *frame)
{
	struct la_state *state;

	if (la_boot_declined)
		return NULL;
	if (la_mode_now() == LA_MODE_PASSIVE)
		return la_boot_early(frame);
	state = la_state_get();
	if (!state || state->own ||
	    (state->allocator_frame &&
	     (uintptr_t)frame < state->allocator_frame))
		return NULL;
	if (la_unlikely(la_boot_waits))
		la_boot_look(state, frame);
	return state;
}

/* Calls the next allocator in a way that its own calls are known as such. */
#define IN_ALLOCATOR(state, call)                                              \
	({                                                                     \
		la_allocator_enter(state, LA_FRAME);                           \
		__auto_type result_ = (call);                                  \
		la_allocator_leave(state);                                     \
		result_;                                                       \
	})

static inline void *recorded(struct la_state *state, void *block, size_t bytes,
			     const void *frame)
{
	if (la_likely(block != NULL))
		la_track_block(state, block, bytes, frame);
	return block;
}

/* What a call that was let pass gave. */
static void *passed(void *block, size_t bytes, uintptr_t caller)
{
	if (la_unlikely(!la_early_over))
		la_early_add(block, bytes, caller);
	return block;
}

static void goes(const void *block)
{
	if (la_unlikely(!la_early_over))
		la_early_remove(block);
}

void *la_malloc_carefully(size_t size, const void *frame, uintptr_t caller)
{
	struct la_state *state;
	void *block;

	if (la_boot_declined)
		return la_real.malloc(size);
	state = la_hook_enter_carefully(frame);
	la_watch_loader(caller);
	if (!state)
		return passed(la_plain_malloc(size), size, caller);
	la_allocator_enter(state, frame);
	block = la_real.malloc(size);
	la_allocator_leave(state);
	return recorded(state, block, size, frame);
}

static inline void *allocate(struct la_state *state, size_t size,
			     const void *frame, bool wanted)
{
	void *block;

	la_allocator_enter(state, frame);
	block = la_real.malloc(size);
	la_allocator_leave(state);
	if (la_likely(block && wanted))
		la_track_block_now(state, block, size, frame);
	return block;
}

void *la_malloc_wanted(struct la_state *state, size_t size, const void *frame)
{
	return allocate(state, size, frame, true);
}

void *la_malloc_reached(struct la_state *state, size_t size, const void *frame)
{
	return allocate(state, size, frame,
			la_sampler_arrives(&state->sampler));
}

LA_EXPORT void *calloc(size_t count, size_t size)
{
	struct la_state *state = la_hook_enter(LA_FRAME);

	la_watch_loader(LA_CALLER);
	if (la_unlikely(!state))
		return passed(la_plain_calloc(count, size), count * size,
			      LA_CALLER);
	return recorded(state, IN_ALLOCATOR(state, la_real.calloc(count, size)),
			count * size, LA_FRAME);
}

/* What realloc does to a block of the bootstrap arena. */
static void *leave_bootstrap(void *old, size_t size)
{
	size_t had = la_bootstrap_size(old);
	void *block;

	if (!la_real_ready())
		return la_plain_realloc(old, size);
	block = malloc(size);
	if (block)
		memcpy(block, old, had < size ? had : size);
	return block;
}

/*
 * The old block ends and a new one begins, even at the same address; unless
 * the call fails. With a size of 0, NULL may mean that the block was freed.
 */
static inline void *reallocate(void *old, size_t size, const void *frame)
{
	struct la_state *state;
	struct la_block was;
	bool known;
	void *block;

	if (la_unlikely(old && la_bootstrap_owns(old)))
		return leave_bootstrap(old, size);
	state = la_hook_enter(frame);
	if (la_unlikely(!state)) {
		goes(old);
		return passed(la_plain_realloc(old, size), size,
			      la_arch_caller(frame).pc + 1);
	}
	known = old && la_untrack_block(state, old, &was);
	la_allocator_enter(state, frame);
	block = la_real.realloc(old, size);
	la_allocator_leave(state);
	if (!block && known && size)
		la_retrack_block(state, old, &was);
	return recorded(state, block, size, frame);
}

LA_EXPORT void *realloc(void *old, size_t size)
{
	la_watch_loader(LA_CALLER);
	return reallocate(old, size, LA_FRAME);
}

/*
 * glibc's is realloc after this very check, and not every allocator has one. Where
 * the program's allocator comes before us, linked into it or preloaded first, only
 * those functions reach us that it does not define, and its blocks must not go to
 * the next allocator.
 */
LA_EXPORT void *reallocarray(void *old, size_t count, size_t size)
{
	size_t bytes;

	if (la_unlikely(la_real_realloc_passed_by()) && la_real_ready() &&
	    la_real.reallocarray)
		return la_real.reallocarray(old, count, size);
	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return reallocate(old, bytes, LA_FRAME);
}

bool la_free_wanted(struct la_state *state, void *block, const void *frame)
{
	struct la_block was;

	if (la_unlikely(!block))
		return true;
	la_untrack_block(state, block, &was);
	la_allocator_enter(state, frame);
	la_real.free(block);
	la_allocator_leave(state);
	return true;
}

bool la_free_carefully(void *block, const void *frame, uintptr_t caller)
{
	struct la_state *state;

	if (!block || la_bootstrap_owns(block))
		return true;
	if (la_boot_declined) {
		la_real.free(block);
		return true;
	}
	la_watch_loader(caller);
	state = la_hook_enter(frame);
	if (state)
		return la_free_wanted(state, block, frame);
	goes(block);
	la_plain_free(block);
	return true;
}

/*
 * C23. An allocator that has them may insist on being told the size; where none
 * does, they are free, and that is whoever comes first's.
 */
LA_EXPORT void free_sized(void *block, size_t size);
LA_EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size);

/* Takes the block off the record; NULL: it is to be given to free instead. */
static struct la_state *begin_sized_free(void *block, const void *next,
					 const void *frame)
{
	struct la_state *state = la_hook_enter(frame);
	struct la_block was;

	if (!state || !next || la_bootstrap_owns(block))
		return NULL;
	if (block)
		la_untrack_block(state, block, &was);
	la_allocator_enter(state, frame);
	return state;
}

LA_EXPORT void free_sized(void *block, size_t size)
{
	struct la_state *state = begin_sized_free(
		block, (const void *)la_real.free_sized, LA_FRAME);

	if (!state) {
		la_real_free_of_first(block);
		return;
	}
	la_real.free_sized(block, size);
	la_allocator_leave(state);
}

LA_EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size)
{
	struct la_state *state = begin_sized_free(
		block, (const void *)la_real.free_aligned_sized, LA_FRAME);

	if (!state) {
		la_real_free_of_first(block);
		return;
	}
	la_real.free_aligned_sized(block, alignment, size);
	la_allocator_leave(state);
}

LA_EXPORT int posix_memalign(void **block, size_t alignment, size_t size)
{
	struct la_state *state = la_hook_enter(LA_FRAME);
	int error;

	if (la_unlikely(!la_real_ready())) {
		void *early = la_plain_memalign(alignment, size);

		if (early)
			*block = early;
		return early ? 0 : ENOMEM;
	}
	if (!state)
		return la_real.posix_memalign(block, alignment, size);
	error = IN_ALLOCATOR(state,
			     la_real.posix_memalign(block, alignment, size));
	if (!error)
		la_track_block(state, *block, size, LA_FRAME);
	return error;
}

LA_EXPORT void *memalign(size_t alignment, size_t size)
{
	struct la_state *state = la_hook_enter(LA_FRAME);

	/* The loader takes aligned blocks for thread-local storage. */
	la_watch_loader(LA_CALLER);
	if (la_unlikely(!state))
		return la_plain_memalign(alignment, size);
	return recorded(state,
			IN_ALLOCATOR(state, la_real.memalign(alignment, size)),
			size, LA_FRAME);
}

LA_EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
	struct la_state *state = la_hook_enter(LA_FRAME);

	if (la_unlikely(!la_real_ready()))
		return la_plain_memalign(alignment, size);
	if (!state)
		return la_real.aligned_alloc(alignment, size);
	return recorded(
		state,
		IN_ALLOCATOR(state, la_real.aligned_alloc(alignment, size)),
		size, LA_FRAME);
}

LA_EXPORT void *valloc(size_t size)
{
	struct la_state *state = la_hook_enter(LA_FRAME);

	if (la_unlikely(!la_real_ready()))
		return la_plain_memalign(4096, size);
	if (!state)
		return la_real.valloc(size);
	return recorded(state, IN_ALLOCATOR(state, la_real.valloc(size)), size,
			LA_FRAME);
}

/* Rounds up to whole pages; what the program asked for is what counts. */
LA_EXPORT void *pvalloc(size_t size)
{
	struct la_state *state = la_hook_enter(LA_FRAME);

	if (la_unlikely(!la_real_ready() || !la_real.pvalloc)) {
		errno = ENOMEM;
		return NULL;
	}
	if (!state)
		return la_real.pvalloc(size);
	return recorded(state, IN_ALLOCATOR(state, la_real.pvalloc(size)), size,
			LA_FRAME);
}
