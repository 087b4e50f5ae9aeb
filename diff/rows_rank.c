/*
 * Rows into order: heap, mmap, thread; within each those that are more than
 * noise first, and then by what --sort says. Ties are broken by name, so that
 * the order never depends on that of the files.
 */
#define _GNU_SOURCE
#include "diff/rows.h"

#include "diff/estimate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct ranking {
	const struct growth *growth;
	const struct growth_options *options;
	const struct stacks *stacks;
};

static int descending(int64_t a, int64_t b)
{
	return (a < b) - (a > b);
}

static int by_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static double percent(const struct values *values, enum la_sample_type sample)
{
	int64_t change = growth_of(values, sample);

	if (values->before[sample])
		return (double)change / (double)values->before[sample];
	return change ? copysign(INFINITY, (double)change) : 0;
}

static enum la_sample_type objects_of(enum la_sample_type sample)
{
	return sample == LA_ALLOC_SPACE || sample == LA_ALLOC_OBJECTS ?
		       LA_ALLOC_OBJECTS :
		       LA_INUSE_OBJECTS;
}

static int by_wish(const struct ranking *ranking, const struct row *a,
		   const struct row *b, enum la_sample_type sample)
{
	enum la_sample_type objects = objects_of(sample);
	double x, y;

	switch (ranking->options->sort) {
	case SORT_LIVE:
		return descending(a->values.after[sample],
				  b->values.after[sample]);
	case SORT_OBJECTS:
		return descending(growth_of(&a->values, objects),
				  growth_of(&b->values, objects));
	case SORT_PERCENT:
		x = percent(&a->values, sample);
		y = percent(&b->values, sample);
		return (x < y) - (x > y);
	case SORT_RATE: /* all rows share the time */
	case SORT_GROWTH:
		break;
	}
	return 0;
}

static uint64_t offset_of(const struct ranking *ranking,
			  const struct row_place *place)
{
	if (place->frame == GROWTH_NO_FRAME)
		return 0;
	return ranking->stacks->frames[place->frame].offset;
}

static int by_place(const struct ranking *ranking, const struct row *a,
		    const struct row *b)
{
	uint64_t x = offset_of(ranking, &a->place);
	uint64_t y = offset_of(ranking, &b->place);
	int order = by_text(a->place.function, b->place.function);

	if (!order)
		order = by_text(a->place.file, b->place.file);
	if (!order)
		order = (a->place.line > b->place.line) -
			(a->place.line < b->place.line);
	return order ? order : (x > y) - (x < y);
}

static int by_rank(const void *left, const void *right, void *context)
{
	const struct ranking *ranking = context;
	const struct row *a = left, *b = right;
	enum la_sample_type sample =
		growth_sample(a->kind, ranking->options->sample);
	enum la_sample_type objects = objects_of(sample);
	int order;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->noise != b->noise)
		return a->noise ? 1 : -1;
	order = by_wish(ranking, a, b, sample);
	if (!order)
		order = descending(growth_of(&a->values, sample),
				   growth_of(&b->values, sample));
	if (!order)
		order = descending(growth_of(&a->values, objects),
				   growth_of(&b->values, objects));
	return order ? order : by_place(ranking, a, b);
}

static int by_stack_growth(const void *left, const void *right, void *context)
{
	const struct ranking *ranking = context;
	const struct change *changes = ranking->growth->changes;
	const struct change *a = &changes[*(const uint32_t *)left];
	const struct change *b = &changes[*(const uint32_t *)right];
	enum la_sample_type sample =
		growth_sample(ranking->stacks->stacks[a->stack].kind,
			      ranking->options->sample);
	int order = descending(growth_of(&a->values, sample),
			       growth_of(&b->values, sample));

	if (!order)
		order = descending(a->values.after[sample],
				   b->values.after[sample]);
	return order ? order : (a->stack > b->stack) - (a->stack < b->stack);
}

/* Threads have no bytes that a size could be compared with. */
static bool is_too_small(const struct row *row,
			 const struct growth_options *options)
{
	int64_t change;

	if (growth_sample(row->kind, options->sample) != options->sample)
		return false;
	change = growth_of(&row->values, options->sample);
	return change < options->minimum && change > -options->minimum;
}

/* What a row is ranked by may be within what sampling is off by. */
static bool is_noise(const struct row *row,
		     const struct growth_options *options)
{
	enum la_sample_type type =
		growth_sample(row->kind, options->sample);
	const struct values *values = &row->values;

	if (options->sort == SORT_LIVE)
		return estimate_is_noise(values->after[type],
					 values->variance.after[type]);
	if (options->sort == SORT_OBJECTS)
		type = objects_of(type);
	return estimate_is_noise(growth_of(values, type),
				 values->variance.growth[type]);
}

void rows_rank(struct growth *growth, const struct growth_options *options,
	       const struct stacks *stacks)
{
	struct ranking ranking = {growth, options, stacks};
	size_t kept = 0;

	for (size_t i = 0; i < growth->row_count; i++) {
		struct row *row = &growth->rows[i];

		row->noise = is_noise(row, options);
		if (!is_too_small(row, options))
			growth->rows[kept++] = *row;
	}
	growth->row_count = kept;
	if (!growth->row_count)
		return;
	qsort_r(growth->rows, growth->row_count, sizeof(*growth->rows),
		by_rank, &ranking);
	for (size_t i = 0; i < growth->row_count; i++) {
		struct row *row = &growth->rows[i];

		/* The list is ours: rows only lend it out as constant. */
		qsort_r((uint32_t *)row->changes, row->change_count,
			sizeof(*row->changes), by_stack_growth, &ranking);
	}
}
