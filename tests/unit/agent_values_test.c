/* How values are written: what is taken, and as what; what is refused. */
#define _GNU_SOURCE

#include "agent/values.h"

#include "tests/support/agent_check.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)
#define MARK UINT64_C(0x1234567812345678)

struct number {
	const char *text;
	uint64_t value;
};

static void assert_numbers(bool (*parse)(const char *, void *),
			   const struct number *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = MARK;

		if (!parse(numbers[i].text, &value))
			fail_msg("'%s' was refused", numbers[i].text);
		if (value != numbers[i].value)
			fail_msg("'%s' was taken as %lu", numbers[i].text,
				 value);
	}
}

static void assert_refused(bool (*parse)(const char *, void *),
			   const char *const *texts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = MARK;

		if (parse(texts[i], &value))
			fail_msg("'%s' was taken as %lu", texts[i], value);
		/* It stays as it was. */
		if (value != MARK)
			fail_msg("'%s' was refused, but left %lu", texts[i],
				 value);
	}
}

#define check_numbers(parse, numbers)                                          \
	assert_numbers(parse, numbers, array_length(numbers))
#define check_refused(parse, texts)                                            \
	assert_refused(parse, texts, array_length(texts))

static const char *const not_numbers[] = {
	"", " ", "x", "-1", "+1", " 1", "1 ", "0x10", "1e3", "1.5", "1,000",
	"18446744073709551616", "99999999999999999999999", "off", "k", "s",
};

static void test_sizes(void **state)
{
	static const struct number good[] = {
		{ "0", 0 },
		{ "1", 1 },
		{ "007", 7 },
		{ "512k", 512 << 10 },
		{ "512K", 512 << 10 },
		{ "64M", 64 << 20 },
		{ "1G", 1 << 30 },
		{ "0G", 0 },
		{ "17179869183G", UINT64_C(17179869183) << 30 },
		{ "18446744073709551615", UINT64_MAX },
	};
	static const char *const bad[] = {
		"1m", "1g", "1T", "1kB", "1KB", "1 k", "1MiB", "k1", "1kk",
		"17179869184G", "18446744073709551615k",
	};

	(void)state;
	check_numbers(la_parse_size, good);
	check_refused(la_parse_size, bad);
	check_refused(la_parse_size, not_numbers);
}

static void test_times(void **state)
{
	static const struct number good[] = {
		{ "0", 0 },
		{ "60", 60 * SECOND },
		{ "1ms", SECOND / 1000 },
		{ "1500ms", 3 * SECOND / 2 },
		{ "10s", 10 * SECOND },
		{ "5m", 300 * SECOND },
		{ "1h", 3600 * SECOND },
		{ "876000h", UINT64_C(876000) * 3600 * SECOND },
	};
	static const char *const bad[] = {
		"1d", "1S", "1M", "1us", "1 s", "1sec", "1min", "1m30s",
		"18446744073709551615", "18446744073709551615ms",
	};

	(void)state;
	check_numbers(la_parse_time, good);
	check_refused(la_parse_time, bad);
	check_refused(la_parse_time, not_numbers);
}

/* A sum with the clock must not overflow, so the longest are refused. */
static void test_longest_time(void **state)
{
	uint64_t most = UINT64_MAX / 4 / (SECOND / 1000), value = 0;
	char text[40];

	(void)state;
	snprintf(text, sizeof(text), "%lums", most);
	assert_true(la_parse_time(text, &value));
	assert_true(value == most * (SECOND / 1000));
	snprintf(text, sizeof(text), "%lums", most + 1);
	value = MARK;
	assert_false(la_parse_time(text, &value));
	assert_true(value == MARK);
}

static void test_counts(void **state)
{
	static const struct number good[] = {
		{ "0", 0 }, { "60", 60 }, { "18446744073709551615", UINT64_MAX }
	};
	static const char *const bad[] = { "1k", "1s", "1M" };

	(void)state;
	check_numbers(la_parse_count, good);
	check_refused(la_parse_count, bad);
	check_refused(la_parse_count, not_numbers);
}

static void test_depths(void **state)
{
	static const struct number good[] = { { "1", 1 }, { "64", 64 },
					      { "256", 256 } };
	static const char *const bad[] = { "0", "257", "1k", "4294967297" };

	(void)state;
	check_numbers(la_parse_depth, good);
	check_refused(la_parse_depth, bad);
	check_refused(la_parse_depth, not_numbers);
}

static void test_keep(void **state)
{
	static const struct number good[] = { { "0", 0 }, { "2", 2 },
					      { "100000", 100000 } };
	static const char *const bad[] = { "1", "01", "2k" };

	(void)state;
	check_numbers(la_parse_keep, good);
	check_refused(la_parse_keep, bad);
	check_refused(la_parse_keep, not_numbers);
}

static void test_memory(void **state)
{
	static const struct {
		const char *text;
		struct la_amount amount;
	} good[] = {
		{ "0", { 0, 0 } },	     { "4M", { 0, 4 << 20 } },
		{ "4194304", { 0, 4 << 20 } }, { "2G", { 0, UINT64_C(2) << 30 } },
		{ "1%", { 1, 0 } },	     { "100%", { 100, 0 } },
	};
	static const char *const bad[] = { "0%",   "101%", "10 %", "%", "1%%",
					   "4095k", "1",    "-1",   "" };
	struct la_amount amount;

	(void)state;
	for (size_t i = 0; i < array_length(good); i++) {
		assert_true(la_parse_memory(good[i].text, &amount));
		assert_int_equal(amount.percent, good[i].amount.percent);
		assert_int_equal(amount.bytes, good[i].amount.bytes);
	}
	amount.bytes = 77;
	for (size_t i = 0; i < array_length(bad); i++)
		assert_false(la_parse_memory(bad[i], &amount));
	assert_int_equal(amount.bytes, 77);
}

static void test_switches(void **state)
{
	static const char *const bad[] = { "",	 "yes", "no",  "true", "ON",
					   "2",	 "on ", "01",  "00",   "offf",
					   "always" };
	bool value = false;

	(void)state;
	assert_true(la_parse_switch("on", &value));
	assert_true(value);
	assert_true(la_parse_switch("off", &value));
	assert_false(value);
	assert_true(la_parse_switch("1", &value));
	assert_true(value);
	assert_true(la_parse_switch("0", &value));
	assert_false(value);
	check_refused(la_parse_switch, bad);
}

static void test_exit(void **state)
{
	static const char *const bad[] = { "", "Always", "never", "2", "on,off",
					   "alway", "alwayss" };
	enum la_exit value = LA_EXIT_OFF;

	(void)state;
	assert_true(la_parse_exit("always", &value));
	assert_int_equal(value, LA_EXIT_ALWAYS);
	assert_true(la_parse_exit("off", &value));
	assert_int_equal(value, LA_EXIT_OFF);
	assert_true(la_parse_exit("on", &value));
	assert_int_equal(value, LA_EXIT_ON);
	assert_true(la_parse_exit("0", &value));
	assert_int_equal(value, LA_EXIT_OFF);
	assert_true(la_parse_exit("1", &value));
	assert_int_equal(value, LA_EXIT_ON);
	check_refused(la_parse_exit, bad);
}

static int signal_of(const char *text)
{
	int value = -7;

	if (!la_parse_signal(text, &value))
		assert_int_equal(value, -7);
	return value;
}

static void test_signals_by_name(void **state)
{
	(void)state;
	assert_int_equal(signal_of("USR2"), SIGUSR2);
	assert_int_equal(signal_of("SIGUSR2"), SIGUSR2);
	assert_int_equal(signal_of("sigusr1"), SIGUSR1);
	assert_int_equal(signal_of("Usr1"), SIGUSR1);
	assert_int_equal(signal_of("HUP"), SIGHUP);
	assert_int_equal(signal_of("SIGSEGV"), SIGSEGV);
	assert_int_equal(signal_of("SYS"), SIGSYS);
	assert_int_equal(signal_of("off"), 0);
	assert_int_equal(signal_of("0"), 0);
}

static void test_signals_by_number(void **state)
{
	(void)state;
	assert_int_equal(signal_of("12"), 12);
	assert_int_equal(signal_of("1"), 1);
	assert_int_equal(signal_of("40"), 40);
	assert_int_equal(signal_of("64"), 64);
}

static void test_realtime_signals(void **state)
{
	(void)state;
	assert_int_equal(signal_of("RTMIN"), SIGRTMIN);
	assert_int_equal(signal_of("RTMIN+3"), SIGRTMIN + 3);
	assert_int_equal(signal_of("SIGRTMIN+30"), SIGRTMIN + 30);
	assert_int_equal(signal_of("rtmin+1"), SIGRTMIN + 1);
	assert_int_equal(signal_of("RTMAX"), SIGRTMAX);
	assert_int_equal(signal_of("RTMAX-30"), SIGRTMIN);
}

static void test_signals_refused(void **state)
{
	static const char *const bad[] = {
		"",	    "KILL",	"9",	   "SIGSTOP",  "19",
		"65",	    "RTMIN+31", "RTMAX-31", "RTMIN-1", "RTMAX+1",
		"RTMIN+",   "RTMIN3",	"RTMINX",  "SIG",      "SIGSIGUSR2",
		"USR3",	    "USR2 ",	" USR2",   "-12",      "12x",
		"4294967308", "RTMIN+18446744073709551615", "USR2,USR1",
		"no",
	};

	(void)state;
	for (size_t i = 0; i < array_length(bad); i++)
		if (signal_of(bad[i]) != -7)
			fail_msg("'%s' was taken as %d", bad[i],
				 signal_of(bad[i]));
}

/* What is shown can be written in the options again. */
static void test_names_read_back(void **state)
{
	char name[32];

	(void)state;
	for (int number = 0; number <= SIGRTMAX; number++) {
		la_signal_name(number, name, sizeof(name));
		if (number == SIGKILL || number == SIGSTOP)
			continue;
		if (signal_of(name) != number)
			fail_msg("signal %d is called '%s'", number, name);
	}
}

static void test_names(void **state)
{
	char name[32];

	(void)state;
	la_signal_name(SIGUSR2, name, sizeof(name));
	assert_string_equal(name, "USR2");
	la_signal_name(0, name, sizeof(name));
	assert_string_equal(name, "off");
	la_signal_name(SIGRTMIN + 3, name, sizeof(name));
	assert_string_equal(name, "RTMIN+3");
	la_signal_name(32, name, sizeof(name));
	assert_string_equal(name, "32");
	memset(name, 'x', sizeof(name));
	la_signal_name(SIGUSR2, name, 3);
	assert_string_equal(name, "US");
	assert_int_equal(name[3], 'x');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_longest_time),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_depths),
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_switches),
		cmocka_unit_test(test_exit),
		cmocka_unit_test(test_signals_by_name),
		cmocka_unit_test(test_signals_by_number),
		cmocka_unit_test(test_realtime_signals),
		cmocka_unit_test(test_signals_refused),
		cmocka_unit_test(test_names_read_back),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
