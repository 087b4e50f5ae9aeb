/*
 * Figures and names for people and terminals.
 */
#include "diff/text.h"

#include "agent/format/plain_text.h"
#include "diff/memory.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEFAULT_WIDTH 80
#define NS_PER_SECOND INT64_C(1000000000)

static void scaled(char text[TEXT_NUMBER_SIZE], double bytes, bool plus,
		   const char *suffix)
{
	static const char *const units[] = {"B",   "KiB", "MiB", "GiB",
					    "TiB", "PiB", "EiB"};
	size_t unit = 0;
	double amount = fabs(bytes);

	/* what would be printed as 1024.0 is 1.0 of the next unit */
	while (amount >= (unit ? 1023.95 : 1023.5) && unit < 6) {
		amount /= 1024;
		unit++;
	}
	snprintf(text, TEXT_NUMBER_SIZE, "%s%.*f %s%s",
		 bytes < 0		? "-" :
		 plus && bytes > 0	? "+" :
					  "",
		 unit ? 1 : 0, amount, units[unit], suffix);
}

void text_size(char text[TEXT_NUMBER_SIZE], int64_t bytes, bool plus)
{
	scaled(text, (double)bytes, plus, "");
}

void text_count(char text[TEXT_NUMBER_SIZE], int64_t count, bool plus)
{
	char digits[TEXT_NUMBER_SIZE];
	const char *digit = digits;
	char *out = text;
	size_t left;

	snprintf(digits, sizeof(digits), plus ? "%+" PRId64 : "%" PRId64,
		 count);
	if (*digit == '-' || *digit == '+') {
		if (count)
			*out++ = *digit;
		digit++;
	}
	for (left = strlen(digit); left; left--) {
		*out++ = *digit++;
		if (left > 1 && left % 3 == 1)
			*out++ = ',';
	}
	*out = '\0';
}

void text_rate(char text[TEXT_NUMBER_SIZE], double per_second, bool bytes)
{
	static const char *const suffixes[] = {"/s", "/min", "/h"};
	size_t step = 0;

	for (; fabs(per_second) < 1 && step < 2; step++)
		per_second *= 60;
	if (bytes)
		scaled(text, per_second, true, suffixes[step]);
	else
		snprintf(text, TEXT_NUMBER_SIZE, "%+.1f%s", per_second,
			 suffixes[step]);
}

void text_duration(char text[TEXT_NUMBER_SIZE], int64_t ns)
{
	int64_t seconds = ns / NS_PER_SECOND;

	if (seconds >= 86400)
		snprintf(text, TEXT_NUMBER_SIZE, "%" PRId64 "d %" PRId64 "h",
			 seconds / 86400, seconds / 3600 % 24);
	else if (seconds >= 3600)
		snprintf(text, TEXT_NUMBER_SIZE, "%" PRId64 "h %" PRId64 "m",
			 seconds / 3600, seconds / 60 % 60);
	else if (seconds >= 60)
		snprintf(text, TEXT_NUMBER_SIZE, "%" PRId64 "m %" PRId64 "s",
			 seconds / 60, seconds % 60);
	else
		snprintf(text, TEXT_NUMBER_SIZE, "%.1fs",
			 (double)ns / (double)NS_PER_SECOND);
}

char *text_escape(const char *text)
{
	size_t length = strlen(text);
	char *safe = memory_resize(NULL, length + 1, LA_SPELT_BYTES);

	la_plain_copy(safe, (length + 1) * LA_SPELT_BYTES, text, length);
	return safe;
}

size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += (*text & 0xc0) != 0x80;
	return width;
}

size_t text_terminal_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	long wanted = columns ? strtol(columns, NULL, 10) : 0;

	if (wanted > 0 && wanted < 10000)
		return (size_t)wanted;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col)
		return size.ws_col;
	return DEFAULT_WIDTH;
}

bool text_colours_wanted(void)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	return !(no_colour && *no_colour) && terminal &&
	       strcmp(terminal, "dumb") != 0;
}
