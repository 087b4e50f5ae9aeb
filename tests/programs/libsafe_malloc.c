/* build: -O2 -fno-builtin */
/*
 * An allocator for programs that allocate in signal handlers, which no other
 * one allows: blocks of powers of two, from 8 bytes on, each taken and given
 * back by one atomic operation.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	LEAST_BITS = 3,
	CLASSES = 18,
	CLASS_BITS = 24, /* bytes for the blocks of one size */
	WORD = 64,
	WORDS = 1 << (CLASS_BITS - LEAST_BITS - 6)
};

static char memory[CLASSES][1 << CLASS_BITS] __attribute__((aligned(1 << 20)));
static uint64_t taken[CLASSES][WORDS];
static unsigned next[CLASSES]; /* where to look first */

static unsigned class_of(size_t size)
{
	unsigned class = 0;

	while (class < CLASSES && (size_t)1 << (class + LEAST_BITS) < size)
		class++;
	return class;
}

static unsigned words_of(unsigned class)
{
	unsigned blocks = 1u << (CLASS_BITS - LEAST_BITS - class);

	return blocks / WORD ? blocks / WORD : 1;
}

/* All bits of the last word that there are no blocks for count as taken. */
static uint64_t no_blocks(unsigned class)
{
	unsigned blocks = 1u << (CLASS_BITS - LEAST_BITS - class);

	return blocks < WORD ? UINT64_MAX << blocks : 0;
}

static void *take(unsigned class)
{
	unsigned words = words_of(class);
	unsigned first = __atomic_load_n(&next[class], __ATOMIC_RELAXED);

	for (unsigned i = 0; i <= words; i++) {
		unsigned at = (first + i) % words;
		uint64_t word = __atomic_load_n(&taken[class][at],
						__ATOMIC_RELAXED);
		uint64_t is_free = ~(word | no_blocks(class));

		while (is_free) {
			unsigned bit = (unsigned)__builtin_ctzll(is_free);
			uint64_t mine = UINT64_C(1) << bit;

			word = __atomic_fetch_or(&taken[class][at], mine,
						 __ATOMIC_ACQUIRE);
			if (!(word & mine)) {
				__atomic_store_n(&next[class], at,
						 __ATOMIC_RELAXED);
				return memory[class] +
				       ((size_t)(at * WORD + bit)
					<< (class + LEAST_BITS));
			}
			is_free = ~(word | mine | no_blocks(class));
		}
	}
	return NULL;
}

static unsigned class_at(const void *block)
{
	return (unsigned)(((const char *)block - memory[0]) >> CLASS_BITS);
}

/* Nothing here calls what is exported: that would go through other libraries. */
static void *allocate(size_t size)
{
	unsigned class = class_of(size);
	void *block = class < CLASSES ? take(class) : NULL;

	if (!block)
		errno = ENOMEM;
	return block;
}

static void release(void *block)
{
	unsigned class = class_at(block);
	size_t index = (size_t)((char *)block - memory[class]) >>
		       (class + LEAST_BITS);

	__atomic_fetch_and(&taken[class][index / WORD],
			   ~(UINT64_C(1) << index % WORD), __ATOMIC_RELEASE);
}

void *malloc(size_t size)
{
	return allocate(size);
}

void free(void *block)
{
	if (block)
		release(block);
}

void *calloc(size_t count, size_t size)
{
	size_t bytes = count * size;
	void *block = size && bytes / size != count ? NULL : allocate(bytes);

	return block ? memset(block, 0, bytes) : NULL;
}

static size_t usable(const void *block)
{
	return (size_t)1 << (class_at(block) + LEAST_BITS);
}

size_t malloc_usable_size(void *block)
{
	return block ? usable(block) : 0;
}

void *realloc(void *old, size_t size)
{
	void *block;

	if (old && class_of(size) == class_at(old))
		return old;
	block = allocate(size);
	if (block && old) {
		memcpy(block, old, size < usable(old) ? size : usable(old));
		release(old);
	}
	return block;
}

/* All blocks are aligned to their sizes. */
static void *allocate_aligned(size_t alignment, size_t size)
{
	return allocate(size < alignment ? alignment : size);
}

void *memalign(size_t alignment, size_t size)
{
	return allocate_aligned(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return allocate_aligned(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
	*block = allocate_aligned(alignment, size);
	return *block ? 0 : ENOMEM;
}

void *valloc(size_t size)
{
	return allocate_aligned(4096, size);
}

void *pvalloc(size_t size)
{
	return allocate_aligned(4096, (size + 4095) & ~(size_t)4095);
}
