/*
 * The difference as a profile, with symbols: for pprof, flame graph viewers
 * and everything else that reads such files. Values may be negative. What is
 * an estimate keeps its error, that of the difference.
 */
#include "diff/pprof_writer.h"
#include "diff/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define PROCESS_TEXT 300

/* A type is written when every snapshot measures it. */
static void common_types(const struct report *report, bool *has)
{
	for (int type = 0; type < LA_SAMPLE_TYPES; type++) {
		has[type] = true;
		for (size_t i = 0; i < report->set->snapshot_count; i++)
			has[type] &= report->set->snapshots[i].has[type];
	}
}

static void add_number(struct pprof_writer *writer, const char *key,
		       int64_t number)
{
	char text[24];

	if (number == SNAPSHOT_UNKNOWN)
		return;
	snprintf(text, sizeof(text), "%" PRId64, number);
	pprof_writer_comment(writer, key, text);
}

static void add_comments(struct pprof_writer *writer,
			 const struct snapshot *snapshot)
{
	const struct process *process = &snapshot->process;

	if (*process->command)
		pprof_writer_comment(writer, LA_COMMENT_COMMAND,
				     process->command);
	add_number(writer, LA_COMMENT_PID, process->pid);
	if (*process->host)
		pprof_writer_comment(writer, LA_COMMENT_HOST, process->host);
	if (*process->start)
		pprof_writer_comment(writer, LA_COMMENT_START, process->start);
	add_number(writer, LA_COMMENT_SAMPLE, snapshot->sample_bytes);
	add_number(writer, LA_COMMENT_COARSENED, snapshot->coarsened_bytes);
}

/* One that does not fit means as little as the largest that does. */
static int64_t standard_error(double variance)
{
	double error = round(sqrt(variance));

	return error < (double)INT64_MAX ? (int64_t)error : INT64_MAX;
}

static void add_change(const struct report *report,
		       struct pprof_writer *writer,
		       const struct change *change, const char *process)
{
	const struct stacks *stacks = report->resolver->stacks;
	int64_t values[LA_SAMPLE_TYPES], errors[LA_SAMPLE_TYPES];
	bool any = false;

	for (int type = 0; type < LA_SAMPLE_TYPES; type++) {
		values[type] = growth_of(&change->values,
					 (enum la_sample_type)type);
		errors[type] = standard_error(
			change->values.variance.growth[type]);
		any |= values[type] || errors[type];
	}
	if (any)
		pprof_writer_sample(writer, &stacks->stacks[change->stack],
				    values, errors, process);
}

static void add_series(const struct report *report,
		       struct pprof_writer *writer,
		       const struct growth *growth)
{
	const struct process *process = &growth->after->process;
	bool *written = memory_alloc(growth->change_count, sizeof(*written));
	char label[PROCESS_TEXT];
	size_t count;
	const struct row **rows =
		report_rows(report, growth, ROWS_ALL, &count);

	snprintf(label, sizeof(label), "%.200s %" PRId64, process->command,
		 process->pid);
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < rows[i]->change_count; j++) {
			uint32_t number = rows[i]->changes[j];

			/* With --cum rows share stacks. */
			if (!written[number])
				add_change(report, writer,
					   &growth->changes[number],
					   report->set->count > 1 ? label :
								    NULL);
			written[number] = true;
		}
	}
	free(rows);
	free(written);
}

/* If either snapshot is sampled, so is the difference. */
static int64_t period_of(const struct growth *growth)
{
	int64_t period = growth->after->period;

	if (growth->before && growth->before->period > period)
		period = growth->before->period;
	return period;
}

void report_pprof(const struct report *report, FILE *out)
{
	const struct growth *last = &report->growths[report->set->count - 1];
	int64_t duration = 0;
	bool has[LA_SAMPLE_TYPES];
	struct pprof_writer *writer;

	common_types(report, has);
	writer = pprof_writer_new(report->resolver, has,
				  report->options->growth.sample);
	if (report->set->count == 1)
		add_comments(writer, last->after);
	if (last->before)
		duration = snapshot_elapsed_ns(last->before, last->after);
	if (duration < 0)
		duration = 0;
	for (size_t i = 0; i < report->set->count; i++)
		add_series(report, writer, &report->growths[i]);
	pprof_writer_finish(writer, last->after->time_ns, duration,
			    period_of(last), out);
}
