/*
 * The report for people: this file puts it together, one process after the
 * other.
 */
#include "diff/report_text.h"

#include "diff/text.h"

#include <stdlib.h>

void text_style(const struct text_part *part, enum text_style style)
{
	static const char *const codes[] = {
		[STYLE_PLAIN] = "\033[0m",
		[STYLE_BOLD] = "\033[1m",
		[STYLE_DIM] = "\033[2m",
		[STYLE_RED] = "\033[31m",
	};

	if (part->report->colours)
		fputs(codes[style], part->out);
}

void text_put(FILE *out, const char *text)
{
	char *safe = text_escape(text);

	fputs(safe, out);
	free(safe);
}

void report_text(const struct report *report, FILE *out)
{
	for (size_t i = 0; i < report->set->count; i++) {
		const struct text_part part = {
			.report = report,
			.series = &report->set->series[i],
			.growth = &report->growths[i],
			.out = out,
		};

		if (i)
			fputs("\n\n", out);
		text_head(&part);
		text_rows(&part);
		text_notes(&part);
	}
}
