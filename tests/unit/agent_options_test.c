/*
 * The options from file and environment: what is taken, what wins, and what
 * stderr is told of the rest. How values are written: agent_values_test.
 */
#define _GNU_SOURCE

#include "agent/options.h"

#include "tests/support/agent_check.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SECOND UINT64_C(1000000000)

static char file[] = "/tmp/agent_options_test.XXXXXX";
static char conf[64]; /* "LEAKAGENT_CONF=<file>" */
static char said[64 * 1024]; /* to stderr */
static struct la_options options;

static void write_file(const char *text, size_t size)
{
	int fd = open(file, O_WRONLY | O_TRUNC);

	assert_int_equal(write(fd, text, size), size);
	close(fd);
}

static void read_options(char *const *environment)
{
	int stderr_before = dup(STDERR_FILENO);
	int fd = memfd_create("stderr", 0);
	ssize_t size;

	memset(&options, 0xee, sizeof(options));
	dup2(fd, STDERR_FILENO);
	la_options_read(&options, environment);
	dup2(stderr_before, STDERR_FILENO);
	close(stderr_before);
	size = pread(fd, said, sizeof(said) - 1, 0);
	close(fd);
	assert_true(size >= 0);
	said[size] = '\0';
}

static void read_text_with(const char *text, const char *a, const char *b)
{
	char *environment[] = { "HOME=/", conf, (char *)a, (char *)b, NULL };

	write_file(text, strlen(text));
	read_options(environment);
}

static void read_text(const char *text)
{
	read_text_with(text, NULL, NULL);
}

/* `said` is "leakagent: " and this, with "FILE" standing for the file. */
static void assert_said(const char *expected)
{
	char text[8192] = "";

	for (const char *at = expected; *at;) {
		size_t length = strcspn(at, "\n") + 1;
		char line[2048];

		snprintf(line, sizeof(line), "%.*s", (int)length, at);
		strcat(text, "leakagent: ");
		if (!strncmp(line, "FILE", 4)) {
			strcat(text, file);
			strcat(text, line + 4);
		} else {
			strcat(text, line);
		}
		at += length;
	}
	assert_string_equal(said, text);
}

static void assert_defaults(void)
{
	struct la_options expected;

	memset(&expected, 0, sizeof(expected));
	expected.interval = 60 * SECOND;
	expected.signal = SIGUSR2;
	expected.exit = LA_EXIT_ON;
	expected.keep = 60;
	expected.dir_limit = 1 << 30;
	expected.depth = 128;
	expected.children = true;
	expected.memory.percent = 10;
	assert_string_equal(options.dir, "");
	assert_string_equal(options.only, "");
	assert_memory_equal(&options, &expected, sizeof(expected));
}

/* ---- where from ---- */

static void test_defaults(void **state)
{
	(void)state;
	read_text("");
	assert_defaults();
	assert_string_equal(said, "");
}

/* The file that documents the defaults says what they are. */
static void test_documented_defaults(void **state)
{
	char *environment[] = { "LEAKAGENT_CONF=conf/leakagent.ini", NULL };

	(void)state;
	assert_int_equal(access("conf/leakagent.ini", R_OK), 0);
	read_options(environment);
	assert_string_equal(said, "");
	assert_defaults();
}

/* ... of every key, so that the defaults above are not just left alone. */
static void test_documented_keys(void **state)
{
	static const char *const keys[] = {
		"dir",	"interval",  "signal", "growth", "exit",     "keep",
		"dir_limit", "depth", "only", "children", "start", "sample",
		"seed", "memory", "verify",
	};
	char line[256];
	unsigned found = 0;
	FILE *ini = fopen("conf/leakagent.ini", "r");

	(void)state;
	assert_non_null(ini);
	while (fgets(line, sizeof(line), ini)) {
		size_t length = strcspn(line, " =");

		if (strchr(";\n", line[0]))
			continue;
		for (size_t i = 0; i < array_length(keys); i++)
			found += strlen(keys[i]) == length &&
				 !strncmp(line, keys[i], length);
	}
	fclose(ini);
	assert_int_equal(found, array_length(keys));
}

static void test_no_environment(void **state)
{
	(void)state;
	/* There is no /etc/leakagent.ini where tests run. */
	assert_int_not_equal(access("/etc/leakagent.ini", F_OK), 0);
	read_options(NULL);
	assert_defaults();
	assert_string_equal(said, "");
}

static void test_empty_conf_variable(void **state)
{
	char *environment[] = { "LEAKAGENT_CONF=", NULL };

	(void)state;
	read_options(environment);
	assert_defaults();
	assert_string_equal(said, "");
}

static void test_file_that_is_not_there(void **state)
{
	char *environment[] = { "LEAKAGENT_CONF=/nowhere/at.ini",
				"LEAKAGENT_KEEP=7", NULL };

	(void)state;
	read_options(environment);
	assert_said("/nowhere/at.ini: cannot be read: the defaults are used\n");
	assert_int_equal(options.keep, 7);
	assert_int_equal(options.depth, 128);
}

static void test_folder_as_file(void **state)
{
	char *environment[] = { "LEAKAGENT_CONF=/tmp", NULL };

	(void)state;
	read_options(environment);
	assert_said("/tmp: cannot be read: the defaults are used\n");
	assert_defaults();
}

/* ---- every key ---- */

struct key {
	const char *key, *variable, *value, *other;
};

/* For each key a value, and another, neither of them the default. */
static const struct key keys[] = {
	{ "dir", "LEAKAGENT_DIR", "/var/tmp", "/srv/x y" },
	{ "interval", "LEAKAGENT_INTERVAL", "1500ms", "0" },
	{ "start", "LEAKAGENT_START", "3s", "2m" },
	{ "signal", "LEAKAGENT_SIGNAL", "RTMIN+3", "off" },
	{ "growth", "LEAKAGENT_GROWTH", "64M", "1k" },
	{ "exit", "LEAKAGENT_EXIT", "always", "off" },
	{ "keep", "LEAKAGENT_KEEP", "5", "0" },
	{ "dir_limit", "LEAKAGENT_DIR_LIMIT", "2G", "0" },
	{ "depth", "LEAKAGENT_DEPTH", "256", "1" },
	{ "only", "LEAKAGENT_ONLY", "nginx,redis-*", "a" },
	{ "children", "LEAKAGENT_CHILDREN", "off", "0" },
	{ "sample", "LEAKAGENT_SAMPLE", "512k", "1024G" },
	{ "seed", "LEAKAGENT_SEED", "77", "18446744073709551615" },
	{ "memory", "LEAKAGENT_MEMORY", "25%", "64M" },
	{ "verify", "LEAKAGENT_VERIFY", "on", "off" },
};

static void expect_first_values(struct la_options *expected)
{
	memset(expected, 0, sizeof(*expected));
	strcpy(expected->dir, "/var/tmp");
	expected->interval = 3 * SECOND / 2;
	expected->start = 3 * SECOND;
	expected->signal = SIGRTMIN + 3;
	expected->growth = 64 << 20;
	expected->exit = LA_EXIT_ALWAYS;
	expected->keep = 5;
	expected->dir_limit = UINT64_C(2) << 30;
	expected->depth = 256;
	strcpy(expected->only, "nginx,redis-*");
	expected->children = false;
	expected->sample = 512 << 10;
	expected->seed = 77;
	expected->memory.percent = 25;
	expected->verify = true;
}

static void expect_other_values(struct la_options *expected)
{
	memset(expected, 0, sizeof(*expected));
	strcpy(expected->dir, "/srv/x y");
	expected->start = 120 * SECOND;
	expected->growth = 1 << 10;
	expected->exit = LA_EXIT_OFF;
	expected->depth = 1;
	strcpy(expected->only, "a");
	expected->sample = UINT64_C(1) << 40;
	expected->seed = UINT64_MAX;
	expected->memory.bytes = 64 << 20;
}

static void assert_options(const struct la_options *expected)
{
	assert_string_equal(options.dir, expected->dir);
	assert_int_equal(options.interval, expected->interval);
	assert_int_equal(options.start, expected->start);
	assert_int_equal(options.signal, expected->signal);
	assert_int_equal(options.growth, expected->growth);
	assert_int_equal(options.exit, expected->exit);
	assert_int_equal(options.keep, expected->keep);
	assert_int_equal(options.dir_limit, expected->dir_limit);
	assert_int_equal(options.depth, expected->depth);
	assert_string_equal(options.only, expected->only);
	assert_int_equal(options.children, expected->children);
	assert_int_equal(options.sample, expected->sample);
	assert_int_equal(options.seed, expected->seed);
	assert_int_equal(options.memory.bytes, expected->memory.bytes);
	assert_int_equal(options.memory.percent, expected->memory.percent);
	assert_int_equal(options.verify, expected->verify);
}

static void test_every_key_in_the_file(void **state)
{
	struct la_options expected;
	char text[2048] = "";

	(void)state;
	for (size_t i = 0; i < array_length(keys); i++)
		sprintf(text + strlen(text), "%s = %s\n", keys[i].key,
			keys[i].value);
	read_text(text);
	assert_string_equal(said, "");
	expect_first_values(&expected);
	assert_options(&expected);
}

/* All as variables, over the other value in the file. */
static void test_environment_wins(void **state)
{
	static char variables[array_length(keys)][64];
	char *environment[array_length(keys) + 2] = { conf };
	struct la_options expected;
	char text[2048] = "";

	(void)state;
	for (size_t i = 0; i < array_length(keys); i++) {
		sprintf(text + strlen(text), "%s = %s\n", keys[i].key,
			keys[i].value);
		sprintf(variables[i], "%s=%s", keys[i].variable, keys[i].other);
		environment[i + 1] = variables[i];
	}
	write_file(text, strlen(text));
	read_options(environment);
	assert_string_equal(said, "");
	expect_other_values(&expected);
	assert_options(&expected);
}

static void test_last_entry_wins(void **state)
{
	(void)state;
	read_text("keep = 3\ndepth = 5\nkeep = 4\n");
	assert_int_equal(options.keep, 4);
	assert_int_equal(options.depth, 5);
}

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

/* ---- only ---- */

static bool admits(const char *only, const char *command)
{
	strcpy(options.only, only);
	return la_options_admit(&options, command);
}

static void test_only(void **state)
{
	(void)state;
	assert_true(admits("", "anything"));
	assert_true(admits("nginx", "nginx"));
	assert_false(admits("nginx", "nginx2"));
	assert_false(admits("nginx", "xnginx"));
	assert_false(admits("nginx", ""));
	assert_true(admits("redis-server,nginx", "nginx"));
	assert_true(admits("redis-server, nginx", "nginx"));
	assert_true(admits(" redis-server nginx ", "redis-server"));
	assert_true(admits("redis-*,?ginx,py[st]hon[23]", "redis-server"));
	assert_true(admits("redis-*,?ginx,py[st]hon[23]", "nginx"));
	assert_true(admits("redis-*,?ginx,py[st]hon[23]", "python3"));
	assert_false(admits("redis-*,?ginx,py[st]hon[23]", "python4"));
	assert_true(admits("*", "x"));
	/* Names were given, if strangely: not everything. */
	assert_false(admits(",", "x"));
}

static int make_file(void **state)
{
	int fd = mkstemp(file);

	(void)state;
	snprintf(conf, sizeof(conf), "LEAKAGENT_CONF=%s", file);
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_documented_defaults),
		cmocka_unit_test(test_documented_keys),
		cmocka_unit_test(test_no_environment),
		cmocka_unit_test(test_empty_conf_variable),
		cmocka_unit_test(test_file_that_is_not_there),
		cmocka_unit_test(test_folder_as_file),
		cmocka_unit_test(test_every_key_in_the_file),
		cmocka_unit_test(test_environment_wins),
		cmocka_unit_test(test_last_entry_wins),
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
		cmocka_unit_test(test_only),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
