/*
 * CSV as RFC 4180 has it, but with plain line ends: a line per row, all
 * processes in one table.
 */
#include "diff/report.h"

#include "agent/format/plain_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Line ends within a field are CSV's own; the rest is as on a terminal. */
static void put_characters(FILE *out, const char *text)
{
	size_t left = strlen(text), taken;

	for (; left; text += taken, left -= taken) {
		size_t length = la_plain_next(text, left);

		taken = length ? length : 1;
		if (*text == '"')
			putc_unlocked('"', out);
		if (length || *text == '\n')
			fwrite(text, 1, taken, out);
		else
			fprintf(out, "\\x%02x",
				(unsigned int)(unsigned char)*text);
	}
}

static void put_text(FILE *out, const char *text)
{
	bool quoted = text && text[strcspn(text, ",\"\n")];

	putc_unlocked(',', out);
	if (quoted)
		putc_unlocked('"', out);
	if (text)
		put_characters(out, text);
	if (quoted)
		putc_unlocked('"', out);
}

/* An empty field is an unknown number. */
static void put_number(FILE *out, int64_t number, bool known)
{
	if (known)
		fprintf(out, ",%" PRId64, number);
	else
		putc_unlocked(',', out);
}

static void put_values(FILE *out, const struct growth *growth,
		       const struct values *values)
{
	const bool *has = growth->after->has;

	put_number(out, growth_of(values, LA_INUSE_SPACE), true);
	put_number(out, growth_of(values, LA_INUSE_OBJECTS),
		   has[LA_INUSE_OBJECTS]);
	put_number(out, values->before[LA_INUSE_SPACE], true);
	put_number(out, values->after[LA_INUSE_SPACE], true);
	put_number(out, values->before[LA_INUSE_OBJECTS],
		   has[LA_INUSE_OBJECTS]);
	put_number(out, values->after[LA_INUSE_OBJECTS],
		   has[LA_INUSE_OBJECTS]);
	put_number(out, growth_of(values, LA_ALLOC_SPACE),
		   has[LA_ALLOC_SPACE]);
	put_number(out, growth_of(values, LA_ALLOC_OBJECTS),
		   has[LA_ALLOC_OBJECTS]);
}

static void put_place(FILE *out, const struct report *report,
		      const struct row_place *place)
{
	const struct stacks *stacks = report->resolver->stacks;

	put_text(out, place->function);
	put_text(out, place->file);
	put_number(out, place->line, place->line > 0);
	put_text(out, report_module(report, place->frame));
	if (place->has_address)
		fprintf(out, ",0x%" PRIx64,
			stacks->frames[place->frame].offset);
	else
		putc_unlocked(',', out);
}

static void put_process(FILE *out, const struct process *process)
{
	put_text(out, process->command);
	put_number(out, process->pid, process->pid != SNAPSHOT_UNKNOWN);
	put_text(out, process->host);
	put_text(out, process->start);
}

/* Standard errors; empty where figures are exact, or nobody knows. */
static void put_errors(FILE *out, const struct growth *growth,
		       const struct variances *variance)
{
	const double errors[] = {
		variance->growth[LA_INUSE_SPACE],
		variance->growth[LA_INUSE_OBJECTS],
		variance->before[LA_INUSE_SPACE],
		variance->after[LA_INUSE_SPACE],
		variance->before[LA_INUSE_OBJECTS],
		variance->after[LA_INUSE_OBJECTS],
		variance->growth[LA_ALLOC_SPACE],
		variance->growth[LA_ALLOC_OBJECTS],
	};

	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		putc_unlocked(',', out);
		if (growth->estimated)
			fprintf(out, "%.0f", sqrt(errors[i]));
	}
}

static void put_rows(const struct report *report, const struct growth *growth,
		     FILE *out)
{
	size_t count;
	const struct row **rows =
		report_rows(report, growth, ROWS_CHANGED, &count);

	for (size_t i = 0; i < count; i++) {
		const struct row *row = rows[i];
		double rate = report_rate(
			growth, growth_of(&row->values, LA_INUSE_SPACE));

		fprintf(out, "%zu,%s", i + 1, kind_name(row->kind));
		put_values(out, growth, &row->values);
		if (isnan(rate))
			putc_unlocked(',', out);
		else
			fprintf(out, ",%.17g", rate);
		put_place(out, report, &row->place);
		put_process(out, &growth->after->process);
		put_errors(out, growth, &row->values.variance);
		put_number(out, growth->after->sample_bytes,
			   growth->after->sample_bytes != SNAPSHOT_UNKNOWN);
		put_text(out, row->noise ? "true" : "false");
		putc_unlocked('\n', out);
	}
	free(rows);
}

void report_csv(const struct report *report, FILE *out)
{
	fputs("rank,kind,growth_bytes,growth_objects,before_bytes,after_bytes,"
	      "before_objects,after_objects,alloc_bytes,alloc_objects,"
	      "rate_bytes_per_second,function,file,line,module,address,"
	      "command,pid,host,start,growth_bytes_error,"
	      "growth_objects_error,before_bytes_error,after_bytes_error,"
	      "before_objects_error,after_objects_error,alloc_bytes_error,"
	      "alloc_objects_error,sample_bytes,noise\n",
	      out);
	for (size_t i = 0; i < report->set->count; i++)
		put_rows(report, &report->growths[i], out);
}
