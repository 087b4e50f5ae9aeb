/* Paths from debug information, made absolute and tidy. */
#include "diff/source_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static void test_paths(void **state)
{
	static const char *const cases[][3] = {
		/* folder, name, path */
		{ "/build", "main.c", "/build/main.c" },
		{ "/build", "/usr/include/x.h", "/usr/include/x.h" },
		{ "/build/obj", "../src/a.c", "/build/src/a.c" },
		{ "/build/", "./a.c", "/build/a.c" },
		{ "/a//b/./c", "d/../e.c", "/a/b/c/e.c" },
		{ "/", "a.c", "/a.c" },
		{ "/a", "../../../b.c", "/b.c" },
		{ "/a", "..", "/" },
		{ NULL, "a/../b.c", "b.c" },
		{ NULL, "../b.c", "../b.c" },
		{ NULL, "a/../../b.c", "../b.c" },
		{ ".", "./src/a.c", "src/a.c" },
		{ "/a", "..b/c...d", "/a/..b/c...d" },
		{ "", "a.c", "a.c" },
	};
	struct symbol_arena arena = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(source_path(&arena, cases[i][0],
						cases[i][1]), cases[i][2]);
	symbol_arena_free(&arena);
}

static void test_long_path(void **state)
{
	struct symbol_arena arena = { 0 };
	char *name = calloc(1, PATH_MAX + 2);

	(void)state;
	memset(name, 'x', PATH_MAX + 1);
	assert_ptr_equal(source_path(&arena, "/a", name), name);
	free(name);
	symbol_arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_long_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
