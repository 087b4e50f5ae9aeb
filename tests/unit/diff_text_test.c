/* Sizes, counts, times and names as text; UTF-8. */
#include "agent/format/plain_text.h"
#include "diff/clock.h"
#include "diff/size.h"
#include "diff/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void check_size(int64_t bytes, bool plus, const char *expected)
{
	char text[TEXT_NUMBER_SIZE];

	text_size(text, bytes, plus);
	assert_string_equal(text, expected);
}

static void test_sizes(void **state)
{
	(void)state;
	check_size(0, true, "0 B");
	check_size(1, true, "+1 B");
	check_size(-12, false, "-12 B");
	check_size(1023, false, "1023 B");
	check_size(1024, false, "1.0 KiB");
	check_size(1048575, false, "1.0 MiB"); /* not 1024.0 KiB */
	check_size(500000000, true, "+476.8 MiB");
	check_size(INT64_MAX, true, "+8.0 EiB");
	check_size(INT64_MIN, true, "-8.0 EiB");
}

static void check_count(int64_t count, bool plus, const char *expected)
{
	char text[TEXT_NUMBER_SIZE];

	text_count(text, count, plus);
	assert_string_equal(text, expected);
}

static void test_counts(void **state)
{
	(void)state;
	check_count(0, true, "0");
	check_count(7, true, "+7");
	check_count(999, false, "999");
	check_count(1000, false, "1,000");
	check_count(-1234567, true, "-1,234,567");
	check_count(INT64_MIN, false, "-9,223,372,036,854,775,808");
	check_count(INT64_MAX, true, "+9,223,372,036,854,775,807");
}

static void check_rate(double rate, bool bytes, const char *expected)
{
	char text[TEXT_NUMBER_SIZE];

	text_rate(text, rate, bytes);
	assert_string_equal(text, expected);
}

static void test_rates(void **state)
{
	(void)state;
	check_rate(2048, true, "+2.0 KiB/s");
	check_rate(-2048, true, "-2.0 KiB/s");
	check_rate(0.5, true, "+30 B/min");
	check_rate(0.01, true, "+36 B/h");
	check_rate(1.5, false, "+1.5/s");
	check_rate(0.25, false, "+15.0/min");
}

static void check_duration(int64_t seconds, const char *expected)
{
	char text[TEXT_NUMBER_SIZE];

	text_duration(text, seconds * 1000000000);
	assert_string_equal(text, expected);
}

static void test_durations(void **state)
{
	(void)state;
	check_duration(1, "1.0s");
	check_duration(59, "59.0s");
	check_duration(60, "1m 0s");
	check_duration(3599, "59m 59s");
	check_duration(7500, "2h 5m");
	check_duration(90000, "1d 1h");
}

static void check_escape(const char *text, const char *expected)
{
	char *safe = text_escape(text);

	assert_string_equal(safe, expected);
	free(safe);
}

static void test_escapes(void **state)
{
	(void)state;
	check_escape("plain é 漢 😀", "plain é 漢 😀");
	check_escape("\033[31m\n\t", "\\x1b[31m\\x0a\\x09");
	check_escape("\x7f", "\\x7f");
	check_escape("\xc2\x9b", "\\xc2\\x9b"); /* CSI in one character */
	check_escape("a\xff", "a\\xff");
	check_escape("\xe2\x80\xae", "\\xe2\\x80\\xae"); /* right to left */
	check_escape("\xe2\x80", "\\xe2\\x80");
	check_escape("\x9b" "31m", "\\x9b31m");
	check_escape("\xd8\x9c", "\\xd8\\x9c");         /* a mark, unseen */
	check_escape("\xe2\x81\xa6", "\\xe2\\x81\\xa6"); /* isolates */
	check_escape("\xef\xbb\xbf", "\\xef\\xbb\\xbf"); /* no width */
}

/* What does not fit is left out, whole characters at a time. */
static void test_copies_with_little_room(void **state)
{
	static const char text[] = "é\033é";
	static const struct {
		size_t room;
		const char *expected;
	} cases[] = {
		{1, ""},     {2, ""},	     {3, "é"},	      {6, "é"},
		{7, "é\\x1b"}, {8, "é\\x1b"}, {9, "é\\x1bé"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char copy[16];

		memset(copy, 'x', sizeof(copy));
		assert_int_equal(la_plain_copy(copy, cases[i].room, text,
					       strlen(text)),
				 strlen(cases[i].expected));
		assert_string_equal(copy, cases[i].expected);
		assert_int_equal(copy[cases[i].room], 'x');
	}
}

static void check_utf8(const char *text, size_t length, uint32_t character)
{
	uint32_t found = 0;

	assert_int_equal(la_utf8_next(text, strlen(text), &found), length);
	if (length)
		assert_int_equal(found, character);
}

static void test_utf8(void **state)
{
	(void)state;
	check_utf8("a", 1, 'a');
	check_utf8("\xc3\xa9", 2, 0xe9);
	check_utf8("\xe6\xbc\xa2", 3, 0x6f22);
	check_utf8("\xf0\x9f\x98\x80", 4, 0x1f600);
	check_utf8("\xc0\x80", 0, 0);	      /* longer than needed */
	check_utf8("\xe0\x80\x80", 0, 0);     /* the same */
	check_utf8("\xed\xa0\x80", 0, 0);     /* a surrogate */
	check_utf8("\xf4\x90\x80\x80", 0, 0); /* beyond the last */
	check_utf8("\x80", 0, 0);
	check_utf8("\xe6\xbc", 0, 0);
	check_utf8("\xff", 0, 0);
	/* Nothing beyond the end is looked at. */
	assert_int_equal(la_utf8_next("\xc3\xa9", 1, &(uint32_t){0}), 0);
	assert_int_equal(la_utf8_next("a", 0, &(uint32_t){0}), 0);
}

static void test_size_words(void **state)
{
	static const char *const wrong[] = {"",	  "k",	   "-1",   "+1",
					    " 1", "1 k",   "1.5M", "1kk",
					    "1x", "0x10",  "1iB",  "1kBB",
					    "1BB", "99999999999999999999",
					    "9999999999G"};
	int64_t size = 0;

	(void)state;
	assert_true(size_parse("0", &size) && size == 0);
	assert_true(size_parse("4096", &size) && size == 4096);
	assert_true(size_parse("12B", &size) && size == 12);
	assert_true(size_parse("64k", &size) && size == 65536);
	assert_true(size_parse("64K", &size) && size == 65536);
	assert_true(size_parse("10MB", &size) && size == 10 << 20);
	assert_true(size_parse("2GiB", &size) && size == INT64_C(2) << 30);
	assert_true(size_parse("1T", &size) && size == INT64_C(1) << 40);
	assert_true(size_parse("9223372036854775807", &size) &&
		    size == INT64_MAX);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_false(size_parse(wrong[i], &size));
}

static void test_clock(void **state)
{
	char text[CLOCK_TEXT_SIZE];

	(void)state;
	clock_format(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	clock_format(INT64_C(1767268800123999999), text);
	assert_string_equal(text, "2026-01-01T12:00:00.123Z");
	clock_format(INT64_MAX, text);
	assert_string_equal(text, "2262-04-11T23:47:16.854Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_copies_with_little_room),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_size_words),
		cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
