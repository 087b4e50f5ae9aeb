/*
 * JSON for programs: its shape is stable, fields are only ever added. Rows and
 * stacks are one line each, so that the output can also be read and grepped.
 */
#include "diff/clock.h"
#include "diff/json.h"
#include "diff/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

static void put_time(FILE *out, int64_t ns)
{
	char text[CLOCK_TEXT_SIZE];

	if (!ns) {
		fputs("null", out);
		return;
	}
	clock_format(ns, text);
	json_text(out, text);
}

static void put_known(FILE *out, int64_t number, bool known)
{
	if (known)
		fprintf(out, "%" PRId64, number);
	else
		fputs("null", out);
}

/* ---- head ---- */

static void put_process(FILE *out, const struct snapshot *snapshot)
{
	const struct process *process = &snapshot->process;

	fputs("{\"command\":", out);
	json_text(out, process->command);
	fputs(",\"pid\":", out);
	put_known(out, process->pid, process->pid != SNAPSHOT_UNKNOWN);
	fputs(",\"host\":", out);
	json_text(out, process->host);
	fputs(",\"start\":", out);
	json_text(out, process->start);
	fprintf(out, ",\"period\":%" PRId64 ",\"sample_bytes\":",
		snapshot->period);
	put_known(out, snapshot->sample_bytes,
		  snapshot->sample_bytes != SNAPSHOT_UNKNOWN);
	fputs(",\"coarsened_bytes\":", out);
	put_known(out, snapshot->coarsened_bytes,
		  snapshot->coarsened_bytes != SNAPSHOT_UNKNOWN);
	putc_unlocked('}', out);
}

static void put_snapshot(FILE *out, const struct snapshot *snapshot)
{
	static const enum la_sample_type order[] = {
		LA_INUSE_SPACE, LA_INUSE_OBJECTS, LA_ALLOC_SPACE,
		LA_ALLOC_OBJECTS};
	static const char *const names[] = LA_SAMPLE_TYPE_NAMES;

	fputs("{\"file\":", out);
	json_text(out, snapshot->path);
	fputs(",\"time\":", out);
	put_time(out, snapshot->time_ns);
	fputs(",\"rss_bytes\":", out);
	put_known(out, snapshot->rss_bytes,
		  snapshot->rss_bytes != SNAPSHOT_UNKNOWN);
	for (int i = 0; i < LA_SAMPLE_TYPES; i++) {
		fprintf(out, ",\"%s\":", names[order[i]]);
		put_known(out, snapshot_total(snapshot, order[i]),
			  snapshot->has[order[i]]);
	}
	fputs(",\"reason\":", out);
	json_text(out, snapshot->reason);
	putc_unlocked('}', out);
}

static void put_snapshots(FILE *out, const struct series *series)
{
	for (size_t i = 0; i < series->count; i++) {
		fputs(i ? ",\n  " : "\n  ", out);
		put_snapshot(out, series->snapshots[i]);
	}
}

/* ---- figures ---- */

/* Do both snapshots measure it? */
static bool has(const struct growth *growth, enum la_sample_type type)
{
	return growth->after->has[type] &&
	       (!growth->before || growth->before->has[type]);
}

/* A standard error; null where figures are exact, or nobody knows. */
static void put_error(FILE *out, const struct growth *growth, double variance)
{
	if (growth->estimated)
		fprintf(out, "%.0f", sqrt(variance));
	else
		fputs("null", out);
}

static void put_growth(FILE *out, const struct growth *growth,
		       const struct values *values)
{
	const double *variance = values->variance.growth;

	fputs("\"growth_bytes\":", out);
	put_known(out, growth_of(values, LA_INUSE_SPACE),
		  has(growth, LA_INUSE_SPACE));
	fputs(",\"growth_objects\":", out);
	put_known(out, growth_of(values, LA_INUSE_OBJECTS),
		  has(growth, LA_INUSE_OBJECTS));
	fputs(",\"growth_bytes_error\":", out);
	put_error(out, growth, variance[LA_INUSE_SPACE]);
	fputs(",\"growth_objects_error\":", out);
	put_error(out, growth, variance[LA_INUSE_OBJECTS]);
}

static void put_errors(FILE *out, const struct growth *growth,
		       const struct variances *variance)
{
	fputs(",\"before_bytes_error\":", out);
	put_error(out, growth, variance->before[LA_INUSE_SPACE]);
	fputs(",\"after_bytes_error\":", out);
	put_error(out, growth, variance->after[LA_INUSE_SPACE]);
	fputs(",\"before_objects_error\":", out);
	put_error(out, growth, variance->before[LA_INUSE_OBJECTS]);
	fputs(",\"after_objects_error\":", out);
	put_error(out, growth, variance->after[LA_INUSE_OBJECTS]);
	fputs(",\"alloc_bytes_error\":", out);
	put_error(out, growth, variance->growth[LA_ALLOC_SPACE]);
	fputs(",\"alloc_objects_error\":", out);
	put_error(out, growth, variance->growth[LA_ALLOC_OBJECTS]);
}

static void put_values(FILE *out, const struct growth *growth,
		       const struct values *values)
{
	bool space = has(growth, LA_INUSE_SPACE);
	bool objects = has(growth, LA_INUSE_OBJECTS);

	put_growth(out, growth, values);
	fputs(",\"before_bytes\":", out);
	put_known(out, values->before[LA_INUSE_SPACE], space);
	fputs(",\"after_bytes\":", out);
	put_known(out, values->after[LA_INUSE_SPACE], space);
	fputs(",\"before_objects\":", out);
	put_known(out, values->before[LA_INUSE_OBJECTS], objects);
	fputs(",\"after_objects\":", out);
	put_known(out, values->after[LA_INUSE_OBJECTS], objects);
	fputs(",\"alloc_bytes\":", out);
	put_known(out, growth_of(values, LA_ALLOC_SPACE),
		  has(growth, LA_ALLOC_SPACE));
	fputs(",\"alloc_objects\":", out);
	put_known(out, growth_of(values, LA_ALLOC_OBJECTS),
		  has(growth, LA_ALLOC_OBJECTS));
	put_errors(out, growth, &values->variance);
}

static void put_totals(FILE *out, const struct growth *growth)
{
	struct values sum = {0};

	for (enum kind kind = KIND_HEAP; kind < KINDS; kind++)
		values_add(&sum, &growth->totals[kind]);
	putc_unlocked('{', out);
	put_growth(out, growth, &sum);
	for (enum kind kind = KIND_HEAP; kind < KINDS; kind++) {
		fprintf(out, ",\n  \"%s\":{", kind_name(kind));
		put_values(out, growth, &growth->totals[kind]);
		putc_unlocked('}', out);
	}
	putc_unlocked('}', out);
}

/* ---- rows ---- */

static void put_place(FILE *out, const struct report *report,
		      const char *function, const char *file, int line,
		      uint32_t frame, bool has_address)
{
	const struct stacks *stacks = report->resolver->stacks;

	fputs("\"function\":", out);
	json_text(out, function);
	fputs(",\"file\":", out);
	json_text(out, file);
	fputs(",\"line\":", out);
	put_known(out, line, line > 0);
	fputs(",\"module\":", out);
	json_text(out, report_module(report, frame));
	fputs(",\"address\":", out);
	if (has_address)
		fprintf(out, "\"0x%" PRIx64 "\"",
			stacks->frames[frame].offset);
	else
		fputs("null", out);
}

static void put_frames(FILE *out, const struct report *report,
		       const struct stack *stack)
{
	const struct stacks *stacks = report->resolver->stacks;
	bool first = true;

	for (uint32_t i = 0; i < stack->depth; i++) {
		uint32_t frame = stack->frames[i];
		const struct source_frame *sources;
		uint32_t count;

		sources = resolver_source(report->resolver, frame, &count);
		for (uint32_t j = 0; j < count; j++) {
			fputs(first ? "{" : ",{", out);
			first = false;
			put_place(out, report, sources[j].function,
				  sources[j].file, sources[j].line, frame,
				  stacks->frames[frame].module !=
					  STACKS_NO_MODULE);
			fprintf(out, ",\"inlined\":%s}",
				sources[j].inlined ? "true" : "false");
		}
	}
}

static void put_stack(FILE *out, const struct report *report,
		      const struct growth *growth, const struct change *change)
{
	putc_unlocked('{', out);
	put_growth(out, growth, &change->values);
	fputs(",\"frames\":[", out);
	put_frames(out, report,
		   &report->resolver->stacks->stacks[change->stack]);
	fputs("]}", out);
}

static void put_row(FILE *out, const struct report *report,
		    const struct growth *growth, const struct row *row,
		    size_t rank)
{
	const struct row_place *place = &row->place;

	fprintf(out, "{\"rank\":%zu,\"kind\":\"%s\",", rank,
		kind_name(row->kind));
	put_values(out, growth, &row->values);
	fputs(",\"rate_bytes_per_second\":", out);
	json_double(out, report_rate(growth, growth_of(&row->values,
						       LA_INUSE_SPACE)));
	fprintf(out, ",\"noise\":%s", row->noise ? "true" : "false");
	if (growth->steps > 1)
		fprintf(out, ",\"steps\":%" PRIu32 ",\"grown_steps\":%" PRIu32,
			growth->steps, row->grown_steps);
	fputs(",\"callsite\":{", out);
	put_place(out, report, place->function, place->file, place->line,
		  place->frame, place->has_address);
	fputs("},\"stacks\":[", out);
	for (size_t i = 0; i < row->change_count; i++) {
		fputs(i ? ",\n    " : "\n    ", out);
		put_stack(out, report, growth,
			  &growth->changes[row->changes[i]]);
	}
	fputs("]}", out);
}

static void put_rows(FILE *out, const struct report *report,
		     const struct growth *growth)
{
	size_t count;
	const struct row **rows =
		report_rows(report, growth, ROWS_CHANGED, &count);

	for (size_t i = 0; i < count; i++) {
		fputs(i ? ",\n  " : "\n  ", out);
		put_row(out, report, growth, rows[i], i + 1);
	}
	free(rows);
}

/* ---- the whole ---- */

static void put_series(FILE *out, const struct report *report, size_t number)
{
	const struct series *series = &report->set->series[number];
	const struct growth *growth = &report->growths[number];

	fputs("\"process\":", out);
	put_process(out, growth->after);
	fputs(",\n\"snapshots\":[", out);
	put_snapshots(out, series);
	fputs("],\n\"total\":", out);
	put_totals(out, growth);
	fputs(",\n\"rows\":[", out);
	put_rows(out, report, growth);
	fputs("]}", out);
}

void report_json(const struct report *report, FILE *out)
{
	fputs("{\"leakdiff\":1,\n", out);
	if (report->set->count == 1) {
		put_series(out, report, 0);
		putc_unlocked('\n', out);
		return;
	}
	fputs("\"processes\":[\n", out);
	for (size_t i = 0; i < report->set->count; i++) {
		fputs(i ? ",\n{" : "{", out);
		put_series(out, report, i);
	}
	fputs("]}\n", out);
}
