/*
 * The head of the text report: who, when, and the totals of both snapshots.
 */
#include "diff/clock.h"
#include "diff/report_text.h"
#include "diff/text.h"

#include <inttypes.h>
#include <string.h>

/* ---- who and when ---- */

/* "2026-01-02 12:00:30" */
static void put_time(FILE *out, int64_t ns)
{
	char text[CLOCK_TEXT_SIZE];

	if (!ns) {
		fprintf(out, "%-19s", "at an unknown time");
		return;
	}
	clock_format(ns, text);
	text[strlen("2026-01-02")] = ' ';
	fprintf(out, "%.19s", text);
}

static void put_process(const struct text_part *part,
			const struct snapshot *snapshot)
{
	const struct process *process = &snapshot->process;

	text_style(part, STYLE_BOLD);
	text_put(part->out, *process->command ? process->command :
						"(unknown program)");
	text_style(part, STYLE_PLAIN);
	if (process->pid != SNAPSHOT_UNKNOWN)
		fprintf(part->out, ", pid %" PRId64, process->pid);
	if (*process->host) {
		fputs(" on ", part->out);
		text_put(part->out, process->host);
	}
	if (strlen(process->start) >= strlen("2026-01-02T12:00:00")) {
		fputs(", started ", part->out);
		text_put(part->out, process->start);
	}
	putc('\n', part->out);
}

static void put_snapshot(const struct text_part *part, const char *label,
			 const struct snapshot *snapshot)
{
	fprintf(part->out, "  %-4s ", label);
	put_time(part->out, snapshot->time_ns);
	fputs("  ", part->out);
	text_put(part->out, snapshot->path);
	if (*snapshot->reason) {
		fputs(" (", part->out);
		text_put(part->out, snapshot->reason);
		putc(')', part->out);
	}
	putc('\n', part->out);
}

static void put_elapsed(const struct text_part *part)
{
	const struct growth *growth = part->growth;
	int64_t elapsed = snapshot_elapsed_ns(growth->before, growth->after);
	char text[TEXT_NUMBER_SIZE];

	if (elapsed <= 0)
		return;
	text_duration(text, elapsed);
	fprintf(part->out, "       %s later", text);
	if (part->series->count > 2)
		fprintf(part->out, ", the last of %zu snapshots",
			part->series->count);
	putc('\n', part->out);
}

/* ---- how sure figures are ---- */

/* What the agent's memory limit has made of its `sample` option. */
static void put_coarsened(const struct text_part *part,
			  const struct snapshot *snapshot)
{
	char text[TEXT_NUMBER_SIZE];

	if (snapshot->coarsened_bytes <= 0)
		return;
	fputs("       (", part->out);
	if (snapshot->sample_bytes > 0) {
		text_size(text, snapshot->sample_bytes, false);
		fprintf(part->out, "every %s", text);
	} else {
		fputs("exact", part->out);
	}
	fputs(" until the agent's memory limit", part->out);
	if (snapshot->agent_limit_bytes > 0) {
		text_size(text, snapshot->agent_limit_bytes, false);
		fprintf(part->out, " of %s", text);
	}
	fputs(" was reached)\n", part->out);
}

static void put_sampling(const struct text_part *part)
{
	const struct growth *growth = part->growth;
	const struct snapshot *snapshot = growth->after;
	char text[TEXT_NUMBER_SIZE];

	if (!snapshot_is_sampled(snapshot) && growth->before)
		snapshot = growth->before;
	if (!snapshot_is_sampled(snapshot))
		return;
	text_size(text, snapshot->period, false);
	fprintf(part->out,
		"       sampled every %s: heap figures are estimates%s\n", text,
		growth->estimated ? ", ± is two standard errors" : "");
	put_coarsened(part, snapshot);
}

/* ---- totals ---- */

struct total_line {
	const char *label;
	int64_t before, after; /* SNAPSHOT_UNKNOWN = unknown */
	int64_t objects;       /* growth */
	double variance, objects_variance;
	enum la_sample_type type; /* bytes or a count */
	bool has_objects;
};

static void put_margin(const struct text_part *part, double variance,
		       enum la_sample_type type)
{
	char text[TEXT_NUMBER_SIZE];

	text_margin(text, variance, type);
	fprintf(part->out, *text ? " %s" : "%s", text);
}

static void put_total(const struct text_part *part,
		      const struct total_line *line)
{
	char before[TEXT_NUMBER_SIZE] = "", after[TEXT_NUMBER_SIZE];
	char change[TEXT_NUMBER_SIZE] = "", objects[TEXT_NUMBER_SIZE] = "";

	text_amount(after, line->after, line->type, false);
	if (line->has_objects)
		text_count(objects, line->objects, part->growth->before);
	if (!part->growth->before) {
		fprintf(part->out, "  %-15s %12s", line->label, after);
	} else {
		text_amount(before, line->before, line->type, false);
		text_amount(change, line->after - line->before, line->type,
			    true);
		fprintf(part->out, "  %-15s %12s %12s %12s", line->label,
			before, after, change);
	}
	put_margin(part, line->variance, line->type);
	if (line->has_objects) {
		fprintf(part->out, "   %s object%s", objects,
			line->objects == 1 || line->objects == -1 ? "" : "s");
		put_margin(part, line->objects_variance, LA_INUSE_OBJECTS);
	}
	putc('\n', part->out);
}

/* Of what is live, or was ever allocated: the types of bytes and objects. */
static struct total_line total_of(const struct values *values,
				  enum la_sample_type bytes,
				  enum la_sample_type objects)
{
	return (struct total_line){
		.before = values->before[bytes],
		.after = values->after[bytes],
		.objects = growth_of(values, objects),
		.variance = values->variance.growth[bytes],
		.objects_variance = values->variance.growth[objects],
		.type = bytes,
	};
}

static void put_live(const struct text_part *part, const char *label,
		     enum kind kind)
{
	const struct growth *growth = part->growth;
	const struct values *values = &growth->unfiltered[kind];
	struct total_line line =
		total_of(values, LA_INUSE_SPACE, LA_INUSE_OBJECTS);

	line.label = label;
	line.has_objects = growth->after->has[LA_INUSE_OBJECTS];
	if (kind == KIND_THREAD) {
		line.before = values->before[LA_INUSE_OBJECTS];
		line.after = values->after[LA_INUSE_OBJECTS];
		line.type = LA_INUSE_OBJECTS;
		line.has_objects = false;
	}
	if (line.before || line.after || line.objects || kind == KIND_HEAP)
		put_total(part, &line);
}

static void put_rss(const struct text_part *part)
{
	const struct growth *growth = part->growth;
	const struct total_line line = {
		.label = "RSS",
		.before = growth->before ? growth->before->rss_bytes : 0,
		.after = growth->after->rss_bytes,
		.type = LA_INUSE_SPACE,
	};

	if (line.before != SNAPSHOT_UNKNOWN && line.after != SNAPSHOT_UNKNOWN)
		put_total(part, &line);
}

static void put_allocated(const struct text_part *part)
{
	const struct growth *growth = part->growth;
	struct values sum = {0};
	struct total_line line;

	if (!growth->after->has[LA_ALLOC_SPACE])
		return;
	for (enum kind kind = KIND_HEAP; kind < KINDS; kind++)
		values_add(&sum, &growth->unfiltered[kind]);
	line = total_of(&sum, LA_ALLOC_SPACE, LA_ALLOC_OBJECTS);
	line.label = "ever allocated";
	line.has_objects = growth->after->has[LA_ALLOC_OBJECTS];
	put_total(part, &line);
}

void text_head(const struct text_part *part)
{
	const struct growth *growth = part->growth;

	if (growth->before && !growth->same_process)
		put_process(part, growth->before);
	put_process(part, growth->after);
	if (growth->before) {
		put_snapshot(part, "old", growth->before);
		put_snapshot(part, "new", growth->after);
		put_elapsed(part);
		put_sampling(part);
		fprintf(part->out, "\n  %-15s %12s %12s %12s\n", "", "old",
			"new", "growth");
	} else {
		put_snapshot(part, "at", growth->after);
		put_sampling(part);
		putc('\n', part->out);
	}
	put_rss(part);
	put_live(part, "heap, live", KIND_HEAP);
	put_live(part, "mmap, live", KIND_MMAP);
	put_live(part, "threads", KIND_THREAD);
	put_allocated(part);
}
