/*
 * Every report on the same growth, written into memory, and what must hold of
 * each: it is UTF-8, and nothing in it commands or confuses a terminal.
 */
#ifndef FUZZ_REPORTS_H
#define FUZZ_REPORTS_H

#include "agent/format/plain_text.h"
#include "diff/report.h"

#include <stdlib.h>

/* Written out once more, so as not to believe what it checks. */
static inline bool is_plain(uint32_t character)
{
	return character == '\n' ||
	       (character >= 0x20 && character < 0x7f) ||
	       (character >= 0xa0 && character < 0x200b) ||
	       (character > 0x200f && character < 0x2028) ||
	       (character > 0x202e && character < 0x2066) ||
	       character > 0x2069;
}

static inline void check_plain(const char *text, size_t size)
{
	const char *end = text + size;

	while (text < end) {
		uint32_t character;
		size_t length = la_utf8_next(text, (size_t)(end - text),
					     &character);

		if (!length || !is_plain(character))
			abort();
		text += length;
	}
}

static inline void write_report(const struct report *report,
				void (*write)(const struct report *, FILE *),
				bool plain)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	write(report, out);
	fclose(out);
	if (plain)
		check_plain(text, size);
	free(text);
}

static inline void write_reports(struct report report)
{
	write_report(&report, report_text, true);
	write_report(&report, report_json, true);
	write_report(&report, report_csv, true);
	write_report(&report, report_folded, true);
	write_report(&report, report_pprof, false);
	report.width = 80;
	report.colours = true;
	write_report(&report, report_text, false);
}

#endif
