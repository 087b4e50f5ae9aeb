/* build: -fno-builtin */
/*
 * Wraps the allocator as many tools do: it finds the next definitions when they
 * are first wanted, and what that allocates itself comes from an array.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static char early[65536] __attribute__((aligned(16)));
static size_t early_used;

static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void (*next_free)(void *);

static void find(const char *name, void *function)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (!found)
		abort();
	memcpy(function, &found, sizeof(found));
}

static int is_early(const void *block)
{
	return (uintptr_t)block - (uintptr_t)early < sizeof(early);
}

static void *take_early(size_t size)
{
	void *block = early + early_used;

	early_used += (size + 15) & ~(size_t)15;
	return early_used <= sizeof(early) ? block : NULL;
}

/* False while it looks: dlsym itself allocates, by calloc among others. */
static int ready(void)
{
	static int looking;

	if (next_free)
		return 1;
	if (looking)
		return 0;
	looking = 1;
	/* It is not there: what dlsym says of that is allocated, too. */
	if (dlsym(RTLD_NEXT, "no_such_function_anywhere"))
		abort();
	dlerror();
	find("malloc", &next_malloc);
	find("calloc", &next_calloc);
	find("realloc", &next_realloc);
	find("free", &next_free);
	return 1;
}

void *malloc(size_t size)
{
	return ready() ? next_malloc(size) : take_early(size);
}

void *calloc(size_t count, size_t size)
{
	return ready() ? next_calloc(count, size) : take_early(count * size);
}

void *realloc(void *block, size_t size)
{
	void *moved;
	size_t left;

	if (ready() && !is_early(block))
		return next_realloc(block, size);
	moved = malloc(size);
	/* How large it was is not known: up to the end of the array, then. */
	left = block ? (size_t)(early + sizeof(early) - (char *)block) : 0;
	if (moved && block)
		memcpy(moved, block, size < left ? size : left);
	return moved;
}

void free(void *block)
{
	if (block && !is_early(block) && ready())
		next_free(block);
}
