/*
 * Times as text. The other direction is nobody's business here.
 */
#include "diff/clock.h"

#include <stdio.h>
#include <time.h>

void clock_format(int64_t ns, char text[CLOCK_TEXT_SIZE])
{
	time_t seconds = ns / 1000000000;
	int milliseconds = (int)(ns / 1000000 % 1000);
	struct tm parts;

	/* 64 bits of nanoseconds end in 2262: it always fits. */
	gmtime_r(&seconds, &parts);
	snprintf(text, CLOCK_TEXT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
		 (parts.tm_year + 1900U) % 10000, (parts.tm_mon + 1U) % 100,
		 parts.tm_mday % 100U, parts.tm_hour % 100U,
		 parts.tm_min % 100U, parts.tm_sec % 100U,
		 (unsigned int)milliseconds % 1000);
}
