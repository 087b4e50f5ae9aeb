/* Every report on the same growth, written into memory. */
#ifndef FUZZ_REPORTS_H
#define FUZZ_REPORTS_H

#include "diff/report.h"
#include "tests/fuzz/plain.h"

#include <stdlib.h>

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
