/*
 * Options as people write them: what a line of the file may look like, and what
 * stderr is told of the rest, the environment's too. How values are written:
 * agent_values_test.
 */
#define _GNU_SOURCE

#include "tests/support/options_file.h"

#include <stdio.h>
#include <string.h>

/* ---- how files are written ---- */

static void test_forms_of_a_line(void **state)
{
	(void)state;
	read_text("\xef\xbb\xbf; begins with a mark of UTF-8\r\n"
		  "# a comment\r\n"
		  "\r\n"
		  "interval=5s\r\n"
		  "keep   :   7   \r\n"
		  "[a section]\r\n"
		  "dir = /a = b ; and a comment\r\n"
		  "\tdepth = 9\r\n"
		  "growth = 1k");
	assert_string_equal(said, "");
	assert_int_equal(options.interval, 5 * SECOND);
	assert_int_equal(options.keep, 7);
	assert_string_equal(options.dir, "/a = b");
	assert_int_equal(options.depth, 9);
	assert_int_equal(options.growth, 1024);
}

/* Longer than any buffer that the file may be read through. */
static void test_long_file(void **state)
{
	static char text[256 * 1024];
	size_t used = 0;

	(void)state;
	text[0] = '\0';
	while (used < sizeof(text) - 200)
		used += (size_t)sprintf(text + used, "; %0*d\n",
					(int)(used % 150) + 1, 1);
	strcpy(text + used, "keep = 77\n");
	read_text(text);
	assert_string_equal(said, "");
	assert_int_equal(options.keep, 77);
}

static void test_long_comment(void **state)
{
	char text[2048];

	(void)state;
	/* Wherever the line might be cut, its rest is no entry. */
	for (int length = 150; length < 450; length++) {
		snprintf(text, sizeof(text),
			 "; %0*d keep = 3\nbad\nkeep = 9\n", length, 0);
		read_text(text);
		assert_said("FILE:2: not understood: expected 'key = value'; "
			    "the line is ignored\n");
		assert_int_equal(options.keep, 9);
	}
}

/* A path is used as it is written, or not at all: never a part of it. */
static void test_long_line(void **state)
{
	char text[8192], path[5000];

	(void)state;
	for (size_t length = 180; length < sizeof(path) - 1;
	     length += length < 220 ? 1 : 401) {
		char line[32] = "";

		memset(path, 'a', length);
		path[0] = '/';
		path[length] = '\0';
		snprintf(text, sizeof(text), "dir = %s\nkeep = 9\n", path);
		read_text(text);
		assert_int_equal(options.keep, 9);
		if (!strcmp(options.dir, path)) {
			assert_string_equal(said, "");
			continue;
		}
		assert_string_equal(options.dir, "");
		strcat(line, ":1: ");
		assert_non_null(strstr(said, line));
		assert_ptr_equal(strchr(said, '\n'),
				 said + strlen(said) - 1);
	}
}

/* ---- what is said ---- */

#define SIZE "a size such as 512k, 64M or 1G"
#define TIME "a time such as 500ms, 10s, 5m or 1h"

static const struct {
	const char *key, *value, *expected;
} mistakes[] = {
	{ "interval", "60x", TIME ", or 0 for never" },
	{ "start", "soon", TIME },
	{ "signal", "KILL",
	  "a signal such as USR2, SIGUSR2, RTMIN+3 or 12, or off" },
	{ "growth", "1T", SIZE ", or 0 for never" },
	{ "exit", "maybe", "on, always or off" },
	{ "keep", "1", "a number of files, at least 2, or 0 for all" },
	{ "dir_limit", "-1", SIZE ", or 0 for no limit" },
	{ "depth", "257", "a number of frames from 1 to 256" },
	{ "children", "yes", "on or off" },
	{ "sample", "1025G", SIZE ", at most 1024G, or 0 for everything" },
	{ "seed", "abc", "a number" },
	{ "memory", "101%",
	  "a size such as 64M, at least 4M, a percentage such as 10%, or 0 for "
	  "no limit" },
};

static void test_bad_values_in_the_file(void **state)
{
	char text[256], expected[512];

	(void)state;
	for (size_t i = 0; i < array_length(mistakes); i++) {
		snprintf(text, sizeof(text), "\n%s = %s\n", mistakes[i].key,
			 mistakes[i].value);
		read_text(text);
		snprintf(expected, sizeof(expected),
			 "leakagent: %s:2: %s = '%s' is not understood: "
			 "expected %s; ignored\n",
			 file, mistakes[i].key, mistakes[i].value,
			 mistakes[i].expected);
		assert_string_equal(said, expected);
		assert_defaults();
	}
}

static void test_bad_values_in_the_environment(void **state)
{
	char variable[256], expected[512];

	(void)state;
	for (size_t i = 0; i < array_length(mistakes); i++) {
		size_t used = (size_t)sprintf(variable, "LEAKAGENT_");

		for (const char *at = mistakes[i].key; *at; at++)
			variable[used++] = *at == '_' ? '_' : *at - 'a' + 'A';
		sprintf(variable + used, "=%s", mistakes[i].value);
		read_text_with("", variable, NULL);
		snprintf(expected, sizeof(expected),
			 "leakagent: environment: %s is not understood: "
			 "expected %s; ignored\n",
			 variable, mistakes[i].expected);
		assert_string_equal(said, expected);
		assert_defaults();
	}
}

static void test_bad_variable_leaves_the_files_value(void **state)
{
	(void)state;
	read_text_with("keep = 9\n", "LEAKAGENT_KEEP=x", NULL);
	assert_int_equal(options.keep, 9);
	assert_said("environment: LEAKAGENT_KEEP=x is not understood: expected "
		    "a number of files, at least 2, or 0 for all; ignored\n");
}

static void test_unknown_keys(void **state)
{
	(void)state;
	read_text_with("kep = 3\nINTERVAL = 1\n", "LEAKAGENT_KEEEP=4",
		       "LEAKAGENT_=");
	assert_said("FILE:1: unknown key 'kep': ignored; the keys are those of "
		    "the leakagent.ini that came with the agent\n"
		    "FILE:2: unknown key 'INTERVAL': ignored; the keys are "
		    "those of the leakagent.ini that came with the agent\n"
		    "environment: unknown variable 'LEAKAGENT_KEEEP': ignored; "
		    "the keys are those of the leakagent.ini that came with "
		    "the agent\n"
		    "environment: unknown variable 'LEAKAGENT_': ignored; the "
		    "keys are those of the leakagent.ini that came with the "
		    "agent\n");
	assert_defaults();
}

static void test_variables_of_others(void **state)
{
	(void)state;
	read_text_with("", "LEAKAGENTX_KEEP=3", "XLEAKAGENT_KEEP=3");
	assert_string_equal(said, "");
	assert_defaults();
	read_text_with("", "LEAKAGENT", "LEAKAGENT_KEEP");
	assert_string_equal(said, "");
	assert_defaults();
}

static void test_every_bad_line_is_told(void **state)
{
	(void)state;
	read_text("junk\nkeep = 3\n\n= 5\nmore junk\n");
	assert_said("FILE:1: not understood: expected 'key = value'; the line "
		    "is ignored\n"
		    "FILE:4: unknown key '': ignored; the keys are those of "
		    "the leakagent.ini that came with the agent\n"
		    "FILE:5: not understood: expected 'key = value'; the line "
		    "is ignored\n");
	assert_int_equal(options.keep, 3);
}

static void test_long_values_in_the_environment(void **state)
{
	static char variable[PATH_MAX + 64];

	(void)state;
	strcpy(variable, "LEAKAGENT_DIR=/");
	memset(variable + 15, 'a', PATH_MAX - 2);
	variable[15 + PATH_MAX - 2] = '\0';
	read_text_with("", variable, NULL);
	assert_string_equal(said, "");
	assert_string_equal(options.dir, variable + 14);
	strcat(variable, "a");
	read_text_with("", variable, NULL);
	assert_true(strlen(said) > 20);
	assert_string_equal(options.dir, "");
	/* A name that no key can have. */
	memset(variable + 10, 'X', 1000);
	variable[1010] = '=';
	read_text_with("", variable, NULL);
	assert_defaults();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms_of_a_line),
		cmocka_unit_test(test_long_file),
		cmocka_unit_test(test_long_comment),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_bad_values_in_the_file),
		cmocka_unit_test(test_bad_values_in_the_environment),
		cmocka_unit_test(test_bad_variable_leaves_the_files_value),
		cmocka_unit_test(test_unknown_keys),
		cmocka_unit_test(test_variables_of_others),
		cmocka_unit_test(test_every_bad_line_is_told),
		cmocka_unit_test(test_long_values_in_the_environment),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
