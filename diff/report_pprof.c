/*
 * The difference as a profile, with symbols: for pprof, flame graph viewers
 * and everything else that reads such files. Values may be negative.
 */
#include "diff/pprof_writer.h"
#include "diff/report.h"

#include <inttypes.h>
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

static void add_comments(struct pprof_writer *writer,
			 const struct process *process)
{
	char pid[24];

	if (*process->command)
		pprof_writer_comment(writer, LA_COMMENT_COMMAND,
				     process->command);
	if (process->pid != SNAPSHOT_UNKNOWN) {
		snprintf(pid, sizeof(pid), "%" PRId64, process->pid);
		pprof_writer_comment(writer, LA_COMMENT_PID, pid);
	}
	if (*process->host)
		pprof_writer_comment(writer, LA_COMMENT_HOST, process->host);
	if (*process->start)
		pprof_writer_comment(writer, LA_COMMENT_START, process->start);
}

static void add_change(const struct report *report,
		       struct pprof_writer *writer,
		       const struct change *change, const char *process)
{
	const struct stacks *stacks = report->resolver->stacks;
	int64_t values[LA_SAMPLE_TYPES];
	bool any = false;

	for (int type = 0; type < LA_SAMPLE_TYPES; type++) {
		values[type] = growth_of(&change->values,
					 (enum la_sample_type)type);
		any |= values[type] != 0;
	}
	if (any)
		pprof_writer_sample(writer, &stacks->stacks[change->stack],
				    values, process);
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
		add_comments(writer, &last->after->process);
	if (last->before && last->after->time_ns > last->before->time_ns)
		duration = last->after->time_ns - last->before->time_ns;
	for (size_t i = 0; i < report->set->count; i++)
		add_series(report, writer, &report->growths[i]);
	pprof_writer_finish(writer, last->after->time_ns, duration,
			    last->after->period, out);
}
