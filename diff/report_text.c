/*
 * The report for people: this file puts it together, one process after the
 * other, and has what its parts share.
 */
#include "diff/report_text.h"

#include "diff/estimate.h"
#include "diff/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

bool text_is_bytes(enum la_sample_type sample)
{
	return sample == LA_INUSE_SPACE || sample == LA_ALLOC_SPACE;
}

void text_amount(char text[TEXT_NUMBER_SIZE], int64_t amount,
		 enum la_sample_type sample, bool plus)
{
	if (text_is_bytes(sample))
		text_size(text, amount, plus);
	else
		text_count(text, amount, plus);
}

void text_margin(char text[TEXT_NUMBER_SIZE], double variance,
		 enum la_sample_type sample)
{
	double margin = ceil(estimate_margin(variance));
	char amount[TEXT_NUMBER_SIZE];

	*text = '\0';
	if (!(margin > 0))
		return;
	text_amount(amount,
		    margin < (double)INT64_MAX ? (int64_t)margin : INT64_MAX,
		    sample, false);
	strcpy(text, "±");
	strcat(text, amount);
}

void text_put(FILE *out, const char *text)
{
	char *safe = text_escape(text);

	fputs(safe, out);
	free(safe);
}

/* ---- several processes ---- */

struct process_growth {
	struct text_part part;
	struct figure growth; /* of the selected rows */
};

/* Those that grew most first; a single snapshot cannot tell growth. */
static int by_growth(const void *left, const void *right)
{
	const struct process_growth *a = left, *b = right;
	bool a_single = !a->part.growth->before;
	bool b_single = !b->part.growth->before;

	if (a_single != b_single)
		return a_single - b_single;
	if (a->growth.amount != b->growth.amount)
		return a->growth.amount > b->growth.amount ? -1 : 1;
	return (a->part.series > b->part.series) -
	       (a->part.series < b->part.series);
}

static void put_summary(const struct report *report, FILE *out,
			const struct process_growth *processes, size_t count)
{
	enum la_sample_type sample = report->options->growth.sample;

	fprintf(out, "%zu processes\n", count);
	for (size_t i = 0; i < count; i++) {
		const struct text_part *part = &processes[i].part;
		const struct process *process = &part->growth->after->process;
		const struct figure *figure = &processes[i].growth;
		char text[TEXT_NUMBER_SIZE];

		text_amount(text, figure->amount, sample,
			    part->growth->before);
		fprintf(out, "  %12s  ", text);
		text_margin(text, figure->variance, sample);
		if (*text)
			fprintf(out, "%s  ", text);
		text_put(out, process->command);
		if (process->pid != SNAPSHOT_UNKNOWN)
			fprintf(out, ", pid %" PRId64, process->pid);
		fprintf(out, ", %zu snapshot%s\n", part->series->count,
			part->series->count > 1 ? "s" : ": what is live");
	}
	fputs("\n\n", out);
}

void report_text(const struct report *report, FILE *out)
{
	size_t count = report->set->count;
	struct process_growth *processes =
		memory_alloc(count, sizeof(*processes));

	for (size_t i = 0; i < count; i++) {
		const struct growth *growth = &report->growths[i];

		processes[i].part = (struct text_part){
			report, &report->set->series[i], growth, out};
		processes[i].growth = growth_selected(
			growth, report->options->growth.sample);
	}
	qsort(processes, count, sizeof(*processes), by_growth);
	if (count > 1)
		put_summary(report, out, processes, count);
	for (size_t i = 0; i < count; i++) {
		if (i)
			fputs("\n\n", out);
		text_head(&processes[i].part);
		text_rows(&processes[i].part);
		text_notes(&processes[i].part);
	}
	text_symbol_notes(&processes[count - 1].part);
	free(processes);
}
