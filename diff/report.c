/*
 * Which rows a report shows, and small questions all of them ask.
 */
#include "diff/report.h"

#include <math.h>

/* Live and cumulative values are two families: a row changed in one of them. */
static bool changed(const struct row *row, enum la_sample_type sample)
{
	const struct values *values = &row->values;

	if (sample == LA_INUSE_SPACE || sample == LA_INUSE_OBJECTS)
		return growth_of(values, LA_INUSE_SPACE) ||
		       growth_of(values, LA_INUSE_OBJECTS);
	return growth_of(values, LA_ALLOC_SPACE) ||
	       growth_of(values, LA_ALLOC_OBJECTS);
}

static bool passes(const struct row *row, enum row_filter filter,
		   enum la_sample_type sample)
{
	enum la_sample_type counted = growth_sample(row->kind, sample);

	switch (filter) {
	case ROWS_GROWN:
		return growth_of(&row->values, counted) > 0;
	case ROWS_LIVE:
		return row->values.after[counted] > 0;
	case ROWS_ALL:
		return true;
	case ROWS_CHANGED:
		break;
	}
	return changed(row, sample);
}

const struct row **report_rows(const struct report *report,
			       const struct growth *growth,
			       enum row_filter filter, size_t *count)
{
	const struct row **rows =
		memory_alloc(growth->row_count, sizeof(*rows));
	int64_t taken[KINDS] = {0};

	*count = 0;
	for (size_t i = 0; i < growth->row_count; i++) {
		const struct row *row = &growth->rows[i];

		if (!passes(row, filter, report->options->growth.sample))
			continue;
		if (report->options->top != OPTIONS_NONE &&
		    taken[row->kind] >= report->options->top)
			continue;
		taken[row->kind]++;
		rows[(*count)++] = row;
	}
	return rows;
}

double report_rate(const struct growth *growth, int64_t change)
{
	return growth->seconds > 0 ? (double)change / growth->seconds : NAN;
}

const char *report_module(const struct report *report, uint32_t frame)
{
	const struct stacks *stacks = report->resolver->stacks;
	uint32_t module;

	if (frame == GROWTH_NO_FRAME)
		return NULL;
	module = stacks->frames[frame].module;
	if (module == STACKS_NO_MODULE || !*stacks->modules[module].path)
		return NULL;
	return stacks->modules[module].path;
}
