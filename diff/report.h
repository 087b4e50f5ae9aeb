/*
 * What all reports share: their input, and which rows they show. Each format
 * is a file of its own. Reports only write; whoever opened the stream checks
 * it for errors.
 */
#ifndef DIFF_REPORT_H
#define DIFF_REPORT_H

#include "diff/growth.h"
#include "diff/options.h"

#include <stdio.h>

struct report {
	const struct options *options;
	const struct series_set *set;
	const struct growth *growths; /* one for each series */
	struct resolver *resolver;
	size_t width; /* columns of the terminal, 0 = no terminal */
	bool colours;
};

void report_text(const struct report *report, FILE *out);
void report_json(const struct report *report, FILE *out);
void report_csv(const struct report *report, FILE *out);
void report_folded(const struct report *report, FILE *out);
void report_pprof(const struct report *report, FILE *out);

enum row_filter {
	ROWS_ALL,
	ROWS_CHANGED, /* grew or shrank */
	ROWS_GROWN,
	ROWS_LIVE /* hold something now */
};

/*
 * The rows to show, at most --top of each kind. The caller frees the list, not
 * the rows.
 */
const struct row **report_rows(const struct report *report,
			       const struct growth *growth,
			       enum row_filter filter, size_t *count);

/* Growth per second, or NAN where there is none. */
double report_rate(const struct growth *growth, int64_t change);

/* Path of the file that a frame's code is in, or NULL. */
const char *report_module(const struct report *report, uint32_t frame);

#endif
