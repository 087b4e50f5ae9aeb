/*
 * Points in time as text: RFC 3339 in UTC with milliseconds.
 */
#ifndef DIFF_CLOCK_H
#define DIFF_CLOCK_H

#include <stdint.h>

#define CLOCK_TEXT_SIZE sizeof("2026-01-01T00:00:00.000Z")

/* `ns` since the epoch, not negative. */
void clock_format(int64_t ns, char text[CLOCK_TEXT_SIZE]);

#endif
