/* See real.h. */

#define _GNU_SOURCE /* RTLD_NEXT */

#include "agent/real.h"

#include "agent/modules.h"
#include "agent/shadow.h"
#include "agent/system.h"
#include "agent/unwind.h"

#include <dlfcn.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

struct la_real la_real;

bool la_real_found;

/* The block's size stands in the 16 bytes before it. */
char la_bootstrap_arena[LA_BOOTSTRAP_BYTES] __attribute__((aligned(4096)));
static size_t bootstrap_used;
enum { HEADER = 16 };

struct la_range la_loader_range, la_allocator_range, la_unwinder_range;
static const char *allocator = "unknown";
static bool passed_by, realloc_passed_by;
static void (*first_free)(void *);

void la_real_forget_error(void)
{
	/* One that finds something forgets what those before it did not. */
	(void)dlsym(RTLD_DEFAULT, "dlsym");
}

static bool search(void)
{
	bool complete = true;

#define LA_FIND(name, result, parameters)                                      \
	do {                                                                   \
		void *symbol = dlsym(RTLD_NEXT, #name);                        \
		memcpy(&la_real.name, &symbol, sizeof(symbol));                \
	} while (0);
#define LA_FIND_REQUIRED(name, result, parameters)                             \
	LA_FIND(name, result, parameters)                                      \
	complete = complete && la_real.name;

	LA_REAL_REQUIRED(LA_FIND_REQUIRED)
	LA_REAL_OPTIONAL(LA_FIND)
#undef LA_FIND
#undef LA_FIND_REQUIRED
	la_real_forget_error();
	return complete;
}

/*
 * While the loader relocates what it has loaded, functions that choose others
 * (IFUNC) may allocate. The agent itself is relocated after libraries that come
 * behind it: until this holds its own address, nothing can be called that is not
 * the agent's own, nor thread-local data used. And libc's is filled in after all
 * relocations, as is this one.
 */
static const void *const volatile own_address = (const void *)&own_address;
static __thread volatile bool filled_in = true;

bool la_real_callable(void)
{
	return own_address == (const void *)&own_address && filled_in;
}

bool la_real_look(void)
{
	static bool begun;

	if (!la_real_callable())
		return false;
	/* Also by the search itself, and after one that was in vain. */
	if (__atomic_exchange_n(&begun, true, __ATOMIC_ACQ_REL))
		return la_real_known();
	__atomic_store_n(&la_real_found, search(), __ATOMIC_RELEASE);
	return la_real_known();
}

static void *out_of_memory(void)
{
	if (la_real_callable())
		errno = ENOMEM;
	return NULL;
}

static void *bootstrap_alloc(size_t alignment, size_t size)
{
	size_t start, end, used = bootstrap_used;

	if (alignment < HEADER)
		alignment = HEADER;
	do {
		start = (used + HEADER + alignment - 1) & ~(alignment - 1);
		if (size > LA_BOOTSTRAP_BYTES || alignment > 4096 ||
		    start + size > LA_BOOTSTRAP_BYTES)
			return out_of_memory();
		end = start + size;
	} while (!__atomic_compare_exchange_n(&bootstrap_used, &used, end,
					      false, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	memcpy(la_bootstrap_arena + start - HEADER, &size, sizeof(size));
	return la_bootstrap_arena + start;
}

size_t la_bootstrap_size(const void *block)
{
	size_t size;

	memcpy(&size, (const char *)block - HEADER, sizeof(size));
	return size;
}

void *la_plain_malloc(size_t size)
{
	return la_real_ready() ? la_real.malloc(size) :
				 bootstrap_alloc(HEADER, size);
}

void *la_plain_calloc(size_t count, size_t size)
{
	size_t bytes;

	if (la_real_ready())
		return la_real.calloc(count, size);
	if (__builtin_mul_overflow(count, size, &bytes))
		return out_of_memory();
	return bootstrap_alloc(HEADER, bytes); /* never used before: zero */
}

void *la_plain_memalign(size_t alignment, size_t size)
{
	return la_real_ready() ? la_real.memalign(alignment, size) :
				 bootstrap_alloc(alignment, size);
}

void *la_plain_realloc(void *block, size_t size)
{
	char *from = block, *moved;
	size_t old;

	if (la_real_ready())
		return la_real.realloc(block, size);
	moved = bootstrap_alloc(HEADER, size);
	if (!moved || !block || !la_bootstrap_owns(block))
		return moved;
	old = la_bootstrap_size(block);
	/* Not memcpy: see own_address. */
	for (volatile size_t i = 0; i < old && i < size; i++)
		moved[i] = from[i];
	return moved;
}

void la_plain_free(void *block)
{
	if (block && !la_bootstrap_owns(block) && la_real_ready())
		la_real.free(block);
}

static long with_errno(long result)
{
	if (!la_sys_failed(result))
		return result;
	errno = (int)-result;
	return -1;
}

/*
 * Mappings do not begin the search: it allocates, and an allocator that comes
 * before us may be mapping its first memory, with its locks held.
 */
void *la_plain_mmap(void *address, size_t length, int protection, int flags,
		    int fd, off_t offset)
{
	if (la_real_known())
		return la_real.mmap(address, length, protection, flags, fd,
				    offset);
	return (void *)with_errno(la_sys_mmap(address, length, protection,
					      flags, fd, offset));
}

int la_plain_munmap(void *address, size_t length)
{
	if (la_real_known())
		return la_real.munmap(address, length);
	return (int)with_errno(la_sys_munmap(address, length));
}

void *la_plain_mremap(void *old, size_t old_length, size_t length, int flags,
		      void *fixed)
{
	if (la_real_known())
		return la_real.mremap(old, old_length, length, flags, fixed);
	return (void *)with_errno(
		la_sys_mremap(old, old_length, length, flags, fixed));
}

static struct la_range locate(const void *symbol, const char **path)
{
	uint32_t id = symbol ? la_modules_find((uintptr_t)symbol) : 0;
	const struct la_module *module;

	if (!id)
		return (struct la_range){ 0 };
	module = la_module_at(id);
	*path = module->path;
	return (struct la_range){ module->start, module->end - module->start };
}

/*
 * An executable that is not position independent has an entry in its procedure
 * linkage table stand for a function whose address it takes: that is no
 * definition.
 */
static bool is_definition(void *function)
{
	const ElfW(Sym) *symbol = NULL;
	Dl_info info;

	return !dladdr1(function, &info, (void **)&symbol, RTLD_DL_SYMENT) ||
	       !symbol || symbol->st_shndx != SHN_UNDEF;
}

/* The module that defines the function and comes before the agent, or 0. */
static uint32_t passed_for(const char *name)
{
	void *first = dlsym(RTLD_DEFAULT, name);
	uint32_t module = first ? la_modules_find((uintptr_t)first) : 0;

	return module && !la_module_at(module)->ours && is_definition(first) ?
		       module :
		       0;
}

/* Known to serve each size class from pages of its own. */
static bool keeps_sizes_apart(const char *path)
{
	return strstr(path, "/libjemalloc.") || strstr(path, "/libtcmalloc") ||
	       strstr(path, "/libmimalloc");
}

/* The functions of libc that all others of its allocator are called by. */
static struct la_range entries[9];

static struct la_range range_of(void *function)
{
	const ElfW(Sym) *symbol = NULL;
	Dl_info info;

	if (!dladdr1(function, &info, (void **)&symbol, RTLD_DL_SYMENT) ||
	    !symbol)
		return (struct la_range){ 0 };
	return (struct la_range){ (uintptr_t)function, symbol->st_size };
}

static void locate_entries(void)
{
	static const char *const names[] = {
		"malloc",	  "calloc",	   "realloc",
		"free",		  "posix_memalign", "aligned_alloc",
		"memalign",	  "valloc",	   "pvalloc",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		void *function = dlsym(RTLD_NEXT, names[i]);

		if (function)
			entries[i] = range_of(function);
	}
}

static bool allocator_is_libcs(void)
{
	return la_in_range(la_allocator_range, (uintptr_t)gnu_get_libc_version);
}

bool la_real_allocates(uintptr_t pc)
{
	/* Libraries that are nothing but allocators have other entries, too. */
	if (!allocator_is_libcs())
		return la_in_range(la_allocator_range, pc);
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		if (la_in_range(entries[i], pc))
			return true;
	return false;
}

void la_real_locate(void)
{
	const char *path;
	uint32_t id;
	void *malloc_definition, *first;

	memcpy(&malloc_definition, &la_real.malloc, sizeof(malloc_definition));
	la_allocator_range = locate(malloc_definition, &allocator);
	/* Its smallest chunk has 32 bytes (MINSIZE in malloc/malloc.c). */
	la_shadow_crowded = !allocator_is_libcs();
	locate_entries();
	la_shadow_slabs = keeps_sizes_apart(allocator);
	/* Defined by every loader of an ELF system with thread-local storage. */
	la_loader_range =
		locate(dlsym(RTLD_DEFAULT, "__tls_get_addr"), &path);
	la_unwinder_range = locate(la_unwind_library(), &path);
	id = passed_for("malloc");
	passed_by = id != 0;
	realloc_passed_by = passed_for("realloc") != 0;
	first = dlsym(RTLD_DEFAULT, "free");
	memcpy(&first_free, &first, sizeof(first));
	if (passed_by)
		allocator = la_module_at(id)->path;
}

bool la_real_passed_by(void)
{
	return passed_by;
}

bool la_real_realloc_passed_by(void)
{
	return realloc_passed_by;
}

void la_real_free_of_first(void *block)
{
	if (first_free)
		first_free(block);
	else
		free(block);
}

const char *la_real_allocator(void)
{
	return allocator;
}
