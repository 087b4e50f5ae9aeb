/* Lists of wrappers: patterns, exceptions, and lines that make no sense. */
#include "diff/wrappers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static struct wrappers parse(const char *text)
{
	struct wrappers wrappers = {0};
	struct error error;

	assert_int_equal(wrappers_parse(&wrappers, "list", text, &error), 0);
	return wrappers;
}

static void check(const char *text, const char *function, const char *module,
		  bool expected)
{
	struct wrappers wrappers = parse(text);

	assert_int_equal(wrappers_match(&wrappers, function, module),
			 expected);
	wrappers_free(&wrappers);
}

static void test_patterns(void **state)
{
	(void)state;
	check("malloc", "malloc", "", true);
	check("malloc", "malloc2", "", false);
	check("malloc", "xmalloc", "", false);
	check("*malloc", "xmalloc", "", true);
	check("g_*", "g_strdup", "", true);
	check("g_*", "g", "", false);
	check("a*b*c", "abc", "", true);
	check("a*b*c", "a-b-b-c", "", true);
	check("a*b*c", "a-b-b-", "", false);
	check("*", "", "", true);
	check("a**", "a", "", true);
	/* everything else stands for itself */
	check("op[]", "op[]", "", true);
	check("op?", "opx", "", false);
	/* a pathological pattern ends in no time */
	check("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
	      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "",
	      false);
}

static void test_lines(void **state)
{
	(void)state;
	check("# malloc", "malloc", "", false);
	check("\n\n  malloc \t\r\n#x\n", "malloc", "", true);
	check("operator new*", "operator new[]", "", true);
	check("", "malloc", "", false);
}

static void test_modules(void **state)
{
	(void)state;
	check("module:libfoo.so*", "anything", "libfoo.so.1", true);
	check("module:libfoo.so*", NULL, "libfoo.so.1", true);
	check("module:libfoo.so*", "libfoo.so", "libbar.so", false);
	check("libfoo.so", NULL, "libfoo.so", false);
}

static void test_the_last_line_decides(void **state)
{
	(void)state;
	check("x*\n!xylophone", "xylophone", "", false);
	check("x*\n!xylophone", "xmalloc", "", true);
	check("!xmalloc\nx*", "xmalloc", "", true);
	check("module:lib*\n!module:libmine", "f", "libmine", false);
}

static void test_errors(void **state)
{
	static const char *const wrong[] = {"ok\n!", "ok\nmodule:",
					    "ok\n!module:\n"};
	struct error error;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct wrappers wrappers = {0};

		assert_int_equal(wrappers_parse(&wrappers, "list", wrong[i],
						&error),
				 -1);
		assert_non_null(strstr(error.text, "list:2: "));
		wrappers_free(&wrappers);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_modules),
		cmocka_unit_test(test_the_last_line_decides),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
