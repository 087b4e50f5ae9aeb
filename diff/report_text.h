/*
 * The parts of the text report, each a file of its own.
 */
#ifndef DIFF_REPORT_TEXT_H
#define DIFF_REPORT_TEXT_H

#include "diff/report.h"
#include "diff/text.h"

/* What is sought in one series: passed on to each part. */
struct text_part {
	const struct report *report;
	const struct series *series;
	const struct growth *growth;
	FILE *out;
};

/* Who, when, and the totals. */
void text_head(const struct text_part *part);

/* The rows, kind by kind. */
void text_rows(const struct text_part *part);

struct text_tally {
	size_t rows;
	struct figure sum;
};

/* What the rows of one kind add up to. */
struct text_sums {
	struct text_tally grown, shrunk; /* those that did for certain */
	size_t noise_rows;               /* those that may not have changed */
	size_t noise_grown_rows; /* of them, those that seem to have grown */
};

/* `sample` is what counts for this kind. */
void text_sums_count(struct text_sums *sums, const struct text_part *part,
		     enum kind kind, enum la_sample_type sample);

/* "heap: 3 callsites grew by 1.2 MiB, 1 callsite shrank by 4.0 KiB" */
void text_headline(const struct text_sums *sums, const struct text_part *part,
		   enum kind kind, enum la_sample_type sample);

/* "callsite" or "callsites", or whatever --by makes of rows */
const char *text_noun(const struct text_part *part, size_t count);

/* May a row have changed by nothing, whatever it is ranked by? */
bool text_growth_is_noise(const struct row *row, enum la_sample_type sample);

/*
 * What a row stands for, on one line of at most `room` columns (0 = any
 * number); caller frees.
 */
char *text_place(const struct report *report, const struct row_place *place,
		 size_t room);

/* The largest paths that lead to a row, a line or more each. */
void text_paths(const struct text_part *part, const struct row *row);

/* What the reader should know before trusting the figures. */
void text_notes(const struct text_part *part);

/* The same about symbols, once for all processes. */
void text_symbol_notes(const struct text_part *part);

enum text_style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_RED };

/* Nothing happens without colours. STYLE_PLAIN ends a style. */
void text_style(const struct text_part *part, enum text_style style);

bool text_is_bytes(enum la_sample_type sample);

/* A size or a count, whichever the sample type is. */
void text_amount(char text[TEXT_NUMBER_SIZE], int64_t amount,
		 enum la_sample_type sample, bool plus);

/* "±2.1 MiB", what an estimate may be off by; "" for what is exact. */
void text_margin(char text[TEXT_NUMBER_SIZE], double variance,
		 enum la_sample_type sample);

/* Escaped. */
void text_put(FILE *out, const char *text);

#endif
