/*
 * The options from file and environment: what is taken, and what wins. How a
 * file is written, and what stderr is told: agent_options_text_test.
 */
#define _GNU_SOURCE

#include "tests/support/options_file.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

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
		cmocka_unit_test(test_only),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
