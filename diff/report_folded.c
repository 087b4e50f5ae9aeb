/*
 * Folded stacks, "main;handle;malloc 4096": what flame graph programs read.
 * They know no negative numbers, so only stacks that grew appear.
 */
#include "diff/report.h"

#include "diff/text.h"

#include <inttypes.h>
#include <stdlib.h>

/* Semicolons separate frames, and the last blank ends them. */
static void put_frame(const struct report *report, FILE *out, uint32_t frame,
		      const struct source_frame *source)
{
	const struct stacks *stacks = report->resolver->stacks;
	const char *module = resolver_module_name(report->resolver, frame);
	char *safe = text_escape(source->function ? source->function :
				 *module	  ? module :
						    "?");

	for (const char *letter = safe; *letter; letter++)
		putc_unlocked(*letter == ';' ? ',' : *letter, out);
	if (!source->function)
		fprintf(out, "+0x%" PRIx64, stacks->frames[frame].offset);
	free(safe);
}

static void put_stack(const struct report *report, FILE *out,
		      const struct stack *stack)
{
	bool first = true;

	for (uint32_t i = stack->depth; i--;) {
		const struct source_frame *sources;
		uint32_t count;

		sources = resolver_source(report->resolver, stack->frames[i],
					  &count);
		for (uint32_t j = count; j--;) {
			if (!first)
				putc_unlocked(';', out);
			first = false;
			put_frame(report, out, stack->frames[i], &sources[j]);
		}
	}
	if (first)
		fputs("(no stack)", out);
}

static void put_row(const struct report *report, const struct growth *growth,
		    const struct row *row, bool *written, FILE *out)
{
	const struct stacks *stacks = report->resolver->stacks;
	enum la_sample_type sample = report->options->growth.sample;

	for (size_t i = 0; i < row->change_count; i++) {
		const struct change *change =
			&growth->changes[row->changes[i]];
		int64_t grown = growth_of(&change->values, sample);

		/* With --cum rows share stacks. */
		if (grown <= 0 || written[row->changes[i]])
			continue;
		written[row->changes[i]] = true;
		put_stack(report, out, &stacks->stacks[change->stack]);
		fprintf(out, " %" PRId64 "\n", grown);
	}
}

void report_folded(const struct report *report, FILE *out)
{
	for (size_t i = 0; i < report->set->count; i++) {
		const struct growth *growth = &report->growths[i];
		bool *written =
			memory_alloc(growth->change_count, sizeof(*written));
		size_t count;
		const struct row **rows =
			report_rows(report, growth, ROWS_ALL, &count);

		for (size_t j = 0; j < count; j++)
			put_row(report, growth, rows[j], written, out);
		free(rows);
		free(written);
	}
}
