/* Names as C++ and Rust compilers make them, and as nobody should. */
#include "diff/demangle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void assert_name(const char *mangled, const char *expected)
{
	struct symbol_arena arena = { 0 };
	const char *name = demangle(&arena, mangled);

	if (expected) {
		assert_non_null(name);
		assert_string_equal(name, expected);
	} else {
		assert_null(name);
	}
	symbol_arena_free(&arena);
}

static void test_cxx(void **state)
{
	(void)state;
	assert_name("_Znwm", "operator new(unsigned long)");
	assert_name("_ZN3app5cacheIlE3putEl", "app::cache<long>::put(long)");
	/* A template's return type is left out. */
	assert_name("_Z4makeIiET_S0_", "make<int>(int)");
	assert_name("_ZZ4mainENKUliE_clEi",
		    "main::{lambda(int)#1}::operator()(int) const");
	assert_name("_ZN12_GLOBAL__N_16unseen5touchEi",
		    "(anonymous namespace)::unseen::touch(int)");
	assert_name("_ZN3appD1Ev", "app::~app()");
	assert_name("_ZN3app4workEi.constprop.0.cold", "app::work(int)");
	assert_name("_ZN3app4workEi.part.1", "app::work(int)");
}

static void test_rust(void **state)
{
	(void)state;
	assert_name("_ZN4core3ptr13drop_in_place17h0123456789abcdefE",
		    "core::ptr::drop_in_place");
	assert_name("_ZN66_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$core..ops.."
		    "drop..Drop$GT$4drop17h0123456789abcdefE",
		    "<alloc::vec::Vec<T> as core::ops::drop::Drop>::drop");
	assert_name("_RNvCs1234_7mycrate3foo", "mycrate::foo");
	assert_name("_RINvNtC3std3mem8align_ofdE", "std::mem::align_of::<f64>");
	/* A crate without a name, of which there is no text at all. */
	assert_name("_RNvC03foo", "::foo");
	assert_name("_RNvMNtC7mycrate5cacheNtB2_5Cache3put",
		    "<mycrate::cache::Cache>::put");
}

static void test_other_names(void **state)
{
	(void)state;
	assert_name("main", NULL);
	assert_name("i", NULL);
	assert_name("", NULL);
	assert_name("_", NULL);
	assert_name("_Z", NULL);
	assert_name("_Z3fo", NULL);
	assert_name("_Zqq", NULL);
	assert_name("_R", NULL);
}

/* A name of n pairs, each of two of the one before: 2^n parts. */
static void test_bomb(void **state)
{
	struct symbol_arena arena = { 0 };
	char mangled[2048] = "_Z1fISt4pairIiiE";
	const char *name;

	(void)state;
	/* S0_ is the first pair; each level refers back twice to the last. */
	for (int level = 0; level < 30; level++) {
		char pair[32];
		char last = level < 10 ? (char)('0' + level)
				       : (char)('A' + level - 10);

		snprintf(pair, sizeof(pair), "S_IS%c_S%c_E", last, last);
		strcat(mangled, pair);
	}
	strcat(mangled, "Evv");
	name = demangle(&arena, mangled);
	assert_non_null(name);
	assert_true(strlen(name) <= 16 * 1024);
	assert_string_equal(name + strlen(name) - 3, "...");
	symbol_arena_free(&arena);
}

/* libiberty's own limit is 1,024 bytes; templates go beyond. */
static void test_long_names(void **state)
{
	const size_t lengths[] = { 1000, 2000, 8000 };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		size_t length = lengths[i];
		char *mangled = malloc(length + 32);
		char *expected = malloc(length + 32);
		int head = sprintf(mangled, "_Z%zu", length);

		memset(mangled + head, 'x', length);
		strcpy(mangled + (size_t)head + length, "i");
		memset(expected, 'x', length);
		strcpy(expected + length, "(int)");
		assert_name(mangled, expected);
		free(mangled);
		free(expected);
	}
}

/* As deep as a name can be: it must fit on the stack, or be refused. */
static void test_deep_names(void **state)
{
	(void)state;
	for (size_t length = 1000; length < 40000; length += 1000) {
		struct symbol_arena arena = { 0 };
		char *mangled = malloc(length + 8);

		strcpy(mangled, "_Z1f");
		memset(mangled + 4, 'P', length);
		strcpy(mangled + 4 + length, "i");
		demangle(&arena, mangled);
		memcpy(mangled, "_RYYYY", 6);
		memset(mangled + 2, 'Y', length);
		demangle(&arena, mangled);
		symbol_arena_free(&arena);
		free(mangled);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cxx),
		cmocka_unit_test(test_rust),
		cmocka_unit_test(test_other_names),
		cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_deep_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
