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
	int64_t elapsed = growth->after->time_ns - growth->before->time_ns;
	char text[TEXT_NUMBER_SIZE];

	if (!growth->before->time_ns || elapsed <= 0)
		return;
	text_duration(text, elapsed);
	fprintf(part->out, "       %s later", text);
	if (part->series->count > 2)
		fprintf(part->out, ", the last of %zu snapshots",
			part->series->count);
	putc('\n', part->out);
}

/* ---- totals ---- */

struct total_line {
	const char *label;
	int64_t before, after; /* SNAPSHOT_UNKNOWN = unknown */
	int64_t objects;       /* growth */
	bool bytes, has_objects;
};

static void format_amount(char text[TEXT_NUMBER_SIZE], int64_t amount,
			  bool bytes, bool plus)
{
	if (bytes)
		text_size(text, amount, plus);
	else
		text_count(text, amount, plus);
}

static void put_total(const struct text_part *part,
		      const struct total_line *line)
{
	char before[TEXT_NUMBER_SIZE] = "", after[TEXT_NUMBER_SIZE];
	char change[TEXT_NUMBER_SIZE] = "", objects[TEXT_NUMBER_SIZE] = "";

	format_amount(after, line->after, line->bytes, false);
	if (line->has_objects)
		text_count(objects, line->objects, part->growth->before);
	if (!part->growth->before) {
		fprintf(part->out, "  %-15s %12s", line->label, after);
	} else {
		format_amount(before, line->before, line->bytes, false);
		format_amount(change, line->after - line->before, line->bytes,
			      true);
		fprintf(part->out, "  %-15s %12s %12s %12s", line->label,
			before, after, change);
	}
	if (line->has_objects)
		fprintf(part->out, "   %s object%s", objects,
			line->objects == 1 || line->objects == -1 ? "" : "s");
	putc('\n', part->out);
}

static int64_t total_before(const struct growth *growth, enum kind kind,
			    enum la_sample_type type)
{
	return growth->before ? growth->before->totals[kind][type] : 0;
}

static void put_live(const struct text_part *part, const char *label,
		     enum kind kind)
{
	const struct growth *growth = part->growth;
	const struct snapshot *after = growth->after;
	int64_t objects_before = total_before(growth, kind, LA_INUSE_OBJECTS);
	struct total_line line = {
		.label = label,
		.before = total_before(growth, kind, LA_INUSE_SPACE),
		.after = after->totals[kind][LA_INUSE_SPACE],
		.objects = after->totals[kind][LA_INUSE_OBJECTS] -
			   objects_before,
		.bytes = true,
		.has_objects = after->has[LA_INUSE_OBJECTS],
	};

	if (kind == KIND_THREAD) {
		line.before = objects_before;
		line.after = after->totals[kind][LA_INUSE_OBJECTS];
		line.bytes = false;
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
		.bytes = true,
	};

	if (line.before != SNAPSHOT_UNKNOWN && line.after != SNAPSHOT_UNKNOWN)
		put_total(part, &line);
}

static void put_allocated(const struct text_part *part)
{
	const struct growth *growth = part->growth;
	const struct snapshot *before = growth->before;
	const struct snapshot *after = growth->after;
	struct total_line line = {.label = "ever allocated",
				  .bytes = true,
				  .has_objects = after->has[LA_ALLOC_OBJECTS]};

	if (!after->has[LA_ALLOC_SPACE])
		return;
	line.before = before ? snapshot_total(before, LA_ALLOC_SPACE) : 0;
	line.after = snapshot_total(after, LA_ALLOC_SPACE);
	line.objects = snapshot_total(after, LA_ALLOC_OBJECTS) -
		       (before ? snapshot_total(before, LA_ALLOC_OBJECTS) : 0);
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
		fprintf(part->out, "\n  %-15s %12s %12s %12s\n", "", "old",
			"new", "growth");
	} else {
		put_snapshot(part, "at", growth->after);
		putc('\n', part->out);
	}
	put_rss(part);
	put_live(part, "heap, live", KIND_HEAP);
	put_live(part, "mmap, live", KIND_MMAP);
	put_live(part, "threads", KIND_THREAD);
	put_allocated(part);
}
