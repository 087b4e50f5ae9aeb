/* See values.h. */

#define _GNU_SOURCE /* sigabbrev_np */

#include "agent/values.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECOND UINT64_C(1000000000)

/* A number with one of the units, or `bare` without; at most `most`. */
static bool parse_scaled(const char *text, const char *const *units,
			 const uint64_t *scales, uint64_t bare, uint64_t most,
			 uint64_t *value)
{
	char *end;
	uint64_t scale = bare;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);

	if (errno)
		return false;
	if (*end) {
		while (*units && strcmp(*units, end))
			units++, scales++;
		if (!*units)
			return false;
		scale = *scales;
	}
	uint64_t scaled;

	if (__builtin_mul_overflow(number, scale, &scaled) || scaled > most)
		return false;
	*value = scaled;
	return true;
}

bool la_parse_size(const char *text, void *value)
{
	static const char *const units[] = { "k", "K", "M", "G", NULL };
	static const uint64_t scales[] = { 1 << 10, 1 << 10, 1 << 20, 1 << 30 };

	return parse_scaled(text, units, scales, 1, UINT64_MAX, value);
}

bool la_parse_time(const char *text, void *value)
{
	static const char *const units[] = { "ms", "s", "m", "h", NULL };
	static const uint64_t scales[] = { SECOND / 1000, SECOND, 60 * SECOND,
					   3600 * SECOND };

	/* Sums with the clock must not overflow. */
	return parse_scaled(text, units, scales, SECOND, UINT64_MAX / 4, value);
}

bool la_parse_count(const char *text, void *value)
{
	static const char *const units[] = { NULL };

	return parse_scaled(text, units, NULL, 1, UINT64_MAX, value);
}

/* A size, a percentage, or 0. */
bool la_parse_memory(const char *text, void *value)
{
	static const char *const units[] = { "%", NULL };
	static const uint64_t scales[] = { 1 };
	struct la_amount amount = { 0 };

	if (la_parse_size(text, &amount.bytes)) {
		if (amount.bytes && amount.bytes < LA_LEAST_MEMORY)
			return false;
	} else if (!parse_scaled(text, units, scales, 1, 100,
				 &amount.percent) ||
		   !amount.percent) {
		return false;
	}
	*(struct la_amount *)value = amount;
	return true;
}

bool la_parse_depth(const char *text, void *value)
{
	uint64_t depth;

	if (!la_parse_count(text, &depth) || depth < 1 || depth > 256)
		return false;
	*(uint64_t *)value = depth;
	return true;
}

/* The first and the newest are always kept. */
bool la_parse_keep(const char *text, void *value)
{
	uint64_t files;

	if (!la_parse_count(text, &files) || files == 1)
		return false;
	*(uint64_t *)value = files;
	return true;
}

bool la_parse_switch(const char *text, void *value)
{
	bool on = !strcmp(text, "on") || !strcmp(text, "1");

	if (!on && strcmp(text, "off") && strcmp(text, "0"))
		return false;
	*(bool *)value = on;
	return true;
}

bool la_parse_exit(const char *text, void *value)
{
	bool on;

	if (!strcmp(text, "always")) {
		*(enum la_exit *)value = LA_EXIT_ALWAYS;
		return true;
	}
	if (!la_parse_switch(text, &on))
		return false;
	*(enum la_exit *)value = on ? LA_EXIT_ON : LA_EXIT_OFF;
	return true;
}

static int signal_by_name(const char *name)
{
	if (!strncasecmp(name, "SIG", 3))
		name += 3;
	for (int number = 1; number < SIGRTMIN; number++) {
		const char *known = sigabbrev_np(number);

		if (known && !strcasecmp(known, name))
			return number;
	}
	return 0;
}

static int realtime_signal(const char *name)
{
	uint64_t offset = 0;
	bool last;

	if (!strncasecmp(name, "SIG", 3))
		name += 3;
	last = !strncasecmp(name, "RTMAX", 5);
	if (!last && strncasecmp(name, "RTMIN", 5))
		return 0;
	name += 5;
	if (*name &&
	    (*name != (last ? '-' : '+') || !la_parse_count(name + 1, &offset)))
		return 0;
	if (offset > (uint64_t)(SIGRTMAX - SIGRTMIN))
		return 0;
	return last ? SIGRTMAX - (int)offset : SIGRTMIN + (int)offset;
}

bool la_parse_signal(const char *text, void *value)
{
	uint64_t number;
	int found;

	if (!strcmp(text, "off") || !strcmp(text, "0")) {
		*(int *)value = 0;
		return true;
	}
	if (la_parse_count(text, &number))
		found = number <= (uint64_t)SIGRTMAX ? (int)number : 0;
	else
		found = signal_by_name(text);
	if (!found)
		found = realtime_signal(text);
	if (found < 1 || found == SIGKILL || found == SIGSTOP)
		return false;
	*(int *)value = found;
	return true;
}

void la_signal_name(int signal, char *name, unsigned size)
{
	const char *known = signal > 0 ? sigabbrev_np(signal) : NULL;

	if (!signal)
		snprintf(name, size, "off");
	else if (known)
		snprintf(name, size, "%s", known);
	else if (signal >= SIGRTMIN && signal <= SIGRTMAX)
		snprintf(name, size, "RTMIN+%d", signal - SIGRTMIN);
	else
		snprintf(name, size, "%d", signal);
}
