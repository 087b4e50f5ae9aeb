/* build: -ldl */
/* Functions by name, in an object and what it needs: as dlsym finds them. */
#define _GNU_SOURCE

#include "agent/symbols.h"

#include "tests/support/agent_check.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

static uint32_t module_at(const void *address)
{
	return la_modules_find((uintptr_t)address);
}

/* What needs another library that needs this function's. */
static void *library;

static void test_in_the_object_itself(void **state)
{
	void *function = dlsym(library, "deflate");

	(void)state;
	assert_non_null(function);
	assert_ptr_equal(la_symbols_find(module_at(function), "deflate"),
			 function);
}

static void test_in_what_it_needs(void **state)
{
	static const char *const names[] = { "malloc", "dlopen", "pthread_join",
					     "deflate", "regcomp" };
	uint32_t own = module_at((const void *)module_at);
	uint32_t other = module_at(dlsym(library, "deflate"));

	(void)state;
	for (size_t i = 0; i < array_length(names); i++) {
		void *expected = dlsym(library, names[i]);

		assert_ptr_equal(la_symbols_find(other, names[i]), expected);
		assert_non_null(expected);
	}
	assert_non_null(la_symbols_find(own, "malloc"));
	/* Loaded, but this program does not need it. */
	assert_null(la_symbols_find(own, "deflate"));
	assert_true(la_symbols_needs(own, module_at(dlsym(library, "malloc"))));
	assert_false(la_symbols_needs(own, other));
	assert_false(la_symbols_needs(own, own));
}

static void test_what_there_is_not(void **state)
{
	uint32_t other = module_at(dlsym(library, "deflate"));

	(void)state;
	assert_null(la_symbols_find(other, "no_such_function"));
	assert_null(la_symbols_find(other, ""));
	/* Data, and a local function. */
	assert_null(la_symbols_find(other, "environ"));
	assert_null(la_symbols_find(module_at((const void *)module_at),
				    "module_at"));
	assert_null(la_symbols_find(0, "malloc"));
}

/* Its tables are read-only: the loader has made no addresses of them. */
static void test_in_the_kernels_object(void **state)
{
	const ElfW(Ehdr) *header = (const void *)getauxval(AT_SYSINFO_EHDR);
	uint32_t kernels = module_at(header);
	const char *found;

	(void)state;
	assert_non_null(header);
	assert_string_equal(la_module_at(kernels)->path, "[vdso]");
	found = la_symbols_find(kernels, "__vdso_clock_gettime");
	assert_in_range(found - (const char *)header, 1, 65536);
}

static void test_sonames(void **state)
{
	const struct la_module *module =
		la_module_at(module_at(dlsym(library, "deflate")));

	(void)state;
	assert_string_equal(la_symbols_soname(module), "libz.so.1");
	assert_string_equal(module->soname, "libz.so.1");
	module = la_module_at(module_at((const void *)module_at));
	assert_string_equal(la_symbols_soname(module), "");
	assert_string_equal(module->soname, "");
}

static int boot(void **state)
{
	(void)state;
	library = dlopen("libz.so.1", RTLD_NOW | RTLD_LOCAL);
	return library ? la_modules_boot() : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_the_object_itself),
		cmocka_unit_test(test_in_what_it_needs),
		cmocka_unit_test(test_what_there_is_not),
		cmocka_unit_test(test_in_the_kernels_object),
		cmocka_unit_test(test_sonames),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
