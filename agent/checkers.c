/* See checkers.h. */

#define _GNU_SOURCE /* RTLD_DEFAULT */

#include "agent/checkers.h"

#include "agent/arch.h"
#include "agent/real.h"
#include "agent/visibility.h"

#include <dlfcn.h>
#include <stddef.h>

/* What their runtimes define, linked into the program or loaded. */
static const struct {
	const char *symbol, *name;
} sanitizers[] = {
	{ "__asan_init", "AddressSanitizer" },
	{ "__hwasan_init", "HWAddressSanitizer" },
	{ "__msan_init", "MemorySanitizer" },
	{ "__tsan_init", "ThreadSanitizer" },
	{ "__lsan_init", "LeakSanitizer" },
};

const char *la_checkers_name(void)
{
	const char *name = NULL;

	if (la_arch_under_valgrind())
		return "valgrind";
	for (size_t i = 0;
	     !name && i < sizeof(sanitizers) / sizeof(*sanitizers); i++)
		if (dlsym(RTLD_DEFAULT, sanitizers[i].symbol))
			name = sanitizers[i].name;
	la_real_forget_error();
	return name;
}

/*
 * AddressSanitizer's runtime asks whom it finds by this name for options, and
 * ends programs that have loaded another library before it. The program's own
 * answer comes before this one; so does the user's, in the environment.
 */
LA_EXPORT const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "verify_asan_link_order=0";
}
