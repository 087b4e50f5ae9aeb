/* build: -O2 */
/*
 * Hooks what a heap profiler must hook and only forwards: what any preload
 * library costs at least.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>

static void *(*next_malloc)(size_t);
static void (*next_free)(void *);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static int (*next_posix_memalign)(void **, size_t, size_t);
static void *(*next_aligned_alloc)(size_t, size_t);

/* glibc's dlsym allocates nothing for names that there are. */
__attribute__((constructor)) static void find_next(void)
{
	next_malloc = dlsym(RTLD_NEXT, "malloc");
	next_free = dlsym(RTLD_NEXT, "free");
	next_calloc = dlsym(RTLD_NEXT, "calloc");
	next_realloc = dlsym(RTLD_NEXT, "realloc");
	next_posix_memalign = dlsym(RTLD_NEXT, "posix_memalign");
	next_aligned_alloc = dlsym(RTLD_NEXT, "aligned_alloc");
}

#define FORWARD(next, ...)                                                     \
	do {                                                                   \
		if (__builtin_expect(!(next), 0))                              \
			find_next();                                           \
		return (next)(__VA_ARGS__);                                    \
	} while (0)

void *malloc(size_t size)
{
	FORWARD(next_malloc, size);
}

void free(void *block)
{
	FORWARD(next_free, block);
}

void *calloc(size_t count, size_t size)
{
	FORWARD(next_calloc, count, size);
}

void *realloc(void *block, size_t size)
{
	FORWARD(next_realloc, block, size);
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
	FORWARD(next_posix_memalign, block, alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	FORWARD(next_aligned_alloc, alignment, size);
}
