/*
 * Mappings. What counts is memory of the program's own: anonymous, readable or
 * writable, not a mere reservation, and not what an allocator maps to cut
 * blocks from.
 */

#define _GNU_SOURCE /* MREMAP_*, MAP_* */

#include "agent/hook.h"

#include <stdarg.h>

#define PAGE ((size_t)4096)

static size_t whole_pages(size_t length)
{
	return (length + PAGE - 1) & ~(PAGE - 1);
}

/* What the kernel refuses outright must not touch the records. */
static bool valid(const void *address, size_t length)
{
	return (uintptr_t)address % PAGE == 0 && length &&
	       whole_pages(length) >= length;
}

static bool counts(int protection, int flags, uintptr_t caller)
{
	return (flags & MAP_ANONYMOUS) && !(flags & MAP_NORESERVE) &&
	       (protection & (PROT_READ | PROT_WRITE)) &&
	       !la_in_range(la_allocator_range, caller) &&
	       !la_in_range(la_unwinder_range, caller);
}

/*
 * The state to track with. Unlike an allocator's inner calls, a mapping that is
 * made while the thread is inside the allocator may come from a signal handler;
 * the allocator's own are known by their caller.
 */
static struct la_state *enter(void)
{
	struct la_state *state = NULL;

	if (la_mode_now() != LA_MODE_PASSIVE)
		state = la_state_get();
	return state && !state->own ? state : NULL;
}

static void *map(void *address, size_t length, int protection, int flags,
		 int fd, off_t offset, const void *frame, uintptr_t caller)
{
	struct la_state *state = enter();
	bool replaces = (flags & MAP_FIXED) && valid(address, length);
	struct la_map *replaced = NULL;
	void *mapped;

	if (!state)
		return la_plain_mmap(address, length, protection, flags, fd,
				     offset);
	if (replaces)
		replaced = la_untrack_map(state, (uintptr_t)address,
					  whole_pages(length));
	mapped = la_real.mmap(address, length, protection, flags, fd, offset);
	if (mapped == MAP_FAILED) {
		la_untrack_map_failed(state, replaced);
		return mapped;
	}
	la_untrack_map_done(state, replaced);
	if (counts(protection, flags, caller))
		la_track_map(state, (uintptr_t)mapped, whole_pages(length),
			     frame);
	return mapped;
}

LA_EXPORT void *mmap(void *address, size_t length, int protection, int flags,
		     int fd, off_t offset)
{
	return map(address, length, protection, flags, fd, offset, LA_FRAME,
		   LA_CALLER);
}

LA_EXPORT void *mmap64(void *address, size_t length, int protection, int flags,
		       int fd, off64_t offset)
{
	return map(address, length, protection, flags, fd, offset, LA_FRAME,
		   LA_CALLER);
}

LA_EXPORT int munmap(void *address, size_t length)
{
	struct la_state *state = enter();
	struct la_map *taken = NULL;
	int result;

	if (!state)
		return la_plain_munmap(address, length);
	if (valid(address, length))
		taken = la_untrack_map(state, (uintptr_t)address,
				       whole_pages(length));
	result = la_real.munmap(address, length);
	if (result)
		la_untrack_map_failed(state, taken);
	else
		la_untrack_map_done(state, taken);
	return result;
}

static void *remap(struct la_state *state, void *old, size_t old_length,
		   size_t length, int flags, void *fixed)
{
	uintptr_t from = (uintptr_t)old;
	/* A length of 0 doubles a shared mapping, all of it. */
	size_t span = whole_pages(old_length ? old_length : length);
	bool keeps_old = (flags & MREMAP_DONTUNMAP) || !old_length;
	struct la_map *replaced = NULL;
	struct la_map *taken = la_untrack_map(state, from, span);
	void *mapped;

	if (flags & MREMAP_FIXED)
		replaced = la_untrack_map(state, (uintptr_t)fixed,
					  whole_pages(length));
	mapped = la_real.mremap(old, old_length, length, flags, fixed);
	if (mapped == MAP_FAILED) {
		la_untrack_map_failed(state, replaced);
		la_untrack_map_failed(state, taken);
		return mapped;
	}
	la_untrack_map_done(state, replaced);
	la_remap(state, taken, from, (uintptr_t)mapped, whole_pages(length),
		 keeps_old);
	return mapped;
}

LA_EXPORT void *mremap(void *old, size_t old_length, size_t length, int flags,
		       ...)
{
	struct la_state *state = enter();
	void *fixed = NULL;
	va_list more;

	va_start(more, flags);
	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
		fixed = va_arg(more, void *);
	va_end(more);
	if (!state || !valid(old, length) ||
	    ((flags & MREMAP_FIXED) && !valid(fixed, length)))
		return la_plain_mremap(old, old_length, length, flags, fixed);
	return remap(state, old, old_length, length, flags, fixed);
}
