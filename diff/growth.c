/*
 * The two ends of a series side by side, filtered and summed. Grouping and
 * order are in rows_group.c and rows_rank.c, the steps in between in trend.c.
 */
#include "diff/growth.h"

#include "diff/estimate.h"
#include "diff/rows.h"
#include "diff/trend.h"

#include <stdlib.h>
#include <string.h>

/* ---- the two snapshots, stack by stack ---- */

static bool wanted(const struct growth_options *options,
		   struct resolver *resolver, const struct stack *stack)
{
	return options->kinds[stack->kind] &&
	       focus_accepts(options->focus, resolver, stack);
}

enum side { SIDE_BEFORE, SIDE_AFTER };

static void take_side(struct growth *growth, const struct snapshot *snapshot,
		      enum side side, uint32_t *change_of)
{
	for (size_t i = 0; snapshot && i < snapshot->entry_count; i++) {
		const struct snapshot_entry *entry = &snapshot->entries[i];
		uint32_t *number = &change_of[entry->stack];
		struct values *values;

		if (!*number) {
			*number = (uint32_t)++growth->change_count;
			growth->changes[*number - 1].stack = entry->stack;
		}
		values = &growth->changes[*number - 1].values;
		memcpy(side == SIDE_AFTER ? values->after : values->before,
		       entry->values, sizeof(entry->values));
		memcpy(side == SIDE_AFTER ? values->variance.after :
					    values->variance.before,
		       entry->variances, sizeof(entry->variances));
	}
}

/* `live` and `allocated` are both of bytes, or both of objects. */
static void judge_growth(const struct growth *growth,
			 struct variances *variance,
			 enum la_sample_type live,
			 enum la_sample_type allocated)
{
	const struct estimate_pair pair = {
		.live_before = variance->before[live],
		.live_after = variance->after[live],
		.allocated_before = variance->before[allocated],
		.allocated_after = variance->after[allocated],
		.same_process = growth->same_process,
		.same_rate = growth->before &&
			     growth->before->period == growth->after->period,
	};

	variance->growth[live] = estimate_growth(&pair);
	variance->growth[allocated] = estimate_allocated(&pair);
}

/* Stack by stack, because a sum of stacks tells less of what they share. */
static void judge_changes(struct growth *growth)
{
	growth->estimated = growth->after->has_errors ||
			    (growth->before && growth->before->has_errors);
	for (size_t i = 0; growth->estimated && i < growth->change_count;
	     i++) {
		struct variances *variance =
			&growth->changes[i].values.variance;

		judge_growth(growth, variance, LA_INUSE_OBJECTS,
			     LA_ALLOC_OBJECTS);
		judge_growth(growth, variance, LA_INUSE_SPACE,
			     LA_ALLOC_SPACE);
	}
}

static void pair_up(struct growth *growth, size_t stack_count)
{
	uint32_t *change_of = memory_alloc(stack_count, sizeof(*change_of));

	growth->changes = memory_alloc(stack_count, sizeof(*growth->changes));
	take_side(growth, growth->before, SIDE_BEFORE, change_of);
	take_side(growth, growth->after, SIDE_AFTER, change_of);
	free(change_of);
	judge_changes(growth);
}

static void filter(struct growth *growth, const struct growth_options *options,
		   struct resolver *resolver)
{
	size_t kept = 0;

	for (size_t i = 0; i < growth->change_count; i++) {
		const struct change *change = &growth->changes[i];

		if (wanted(options, resolver,
			   &resolver->stacks->stacks[change->stack]))
			growth->changes[kept++] = *change;
	}
	growth->change_count = kept;
}

/*
 * Each snapshot's sums fit (profile.c sees to that), and so does the
 * difference of two sums of one sign. Negative values, which only profiles
 * that are differences themselves have, need this look.
 */
static int check_overflow(const struct growth *growth, struct error *error)
{
	for (int type = 0; type < LA_SAMPLE_TYPES; type++) {
		int64_t sum = 0;
		bool overflow = false, negative = false;

		for (size_t i = 0; i < growth->change_count; i++) {
			const struct values *values =
				&growth->changes[i].values;
			int64_t a = values->before[type];
			int64_t b = values->after[type];

			negative |= a < 0 || b < 0;
			overflow |= __builtin_add_overflow(
				sum, a < 0 ? -a : a, &sum);
			overflow |= __builtin_add_overflow(
				sum, b < 0 ? -b : b, &sum);
		}
		if (overflow && negative)
			return error_set(error,
					 "%s: its difference to %s overflows "
					 "64 bits",
					 growth->after->path,
					 growth->before ?
						 growth->before->path :
						 "nothing");
	}
	return 0;
}

void values_add(struct values *sum, const struct values *values)
{
	const struct variances *variance = &values->variance;

	for (int type = 0; type < LA_SAMPLE_TYPES; type++) {
		sum->before[type] += values->before[type];
		sum->after[type] += values->after[type];
		sum->variance.before[type] += variance->before[type];
		sum->variance.after[type] += variance->after[type];
		sum->variance.growth[type] += variance->growth[type];
	}
}

static void add_totals(const struct growth *growth,
		       const struct stacks *stacks, struct values *totals)
{
	for (size_t i = 0; i < growth->change_count; i++) {
		const struct change *change = &growth->changes[i];

		values_add(&totals[stacks->stacks[change->stack].kind],
			   &change->values);
	}
}

/* ---- the whole ---- */

enum la_sample_type growth_sample(enum kind kind, enum la_sample_type sample)
{
	if (kind != KIND_THREAD)
		return sample;
	switch (sample) {
	case LA_ALLOC_SPACE:
		return LA_ALLOC_OBJECTS;
	case LA_INUSE_SPACE:
		return LA_INUSE_OBJECTS;
	default:
		return sample;
	}
}

struct figure growth_selected(const struct growth *growth,
			      enum la_sample_type sample)
{
	bool *counted = memory_alloc(growth->change_count, sizeof(*counted));
	struct figure sum = {0, 0};

	for (size_t i = 0; i < growth->row_count; i++) {
		const struct row *row = &growth->rows[i];

		for (size_t j = 0; j < row->change_count; j++) {
			uint32_t number = row->changes[j];
			const struct values *values =
				&growth->changes[number].values;

			if (counted[number])
				continue;
			counted[number] = true;
			sum.amount += growth_of(values, sample);
			sum.variance += values->variance.growth[sample];
		}
	}
	free(counted);
	return sum;
}

static void choose_ends(struct growth *growth, const struct series *series)
{
	int64_t elapsed;

	growth->after = series->snapshots[series->count - 1];
	if (series->count == 1)
		return;
	growth->before = series->snapshots[0];
	growth->same_process =
		snapshot_same_process(growth->before, growth->after);
	elapsed = snapshot_elapsed_ns(growth->before, growth->after);
	/* Between two processes the time that passed says nothing. */
	if (growth->same_process && elapsed > 0)
		growth->seconds = (double)elapsed / 1e9;
}

int growth_rank(struct growth *growth, const struct series *series,
		const struct growth_options *options,
		struct resolver *resolver, struct error *error)
{
	const struct stacks *stacks = resolver->stacks;

	memset(growth, 0, sizeof(*growth));
	choose_ends(growth, series);
	pair_up(growth, stacks->stack_count);
	if (check_overflow(growth, error)) {
		growth_free(growth);
		return -1;
	}
	add_totals(growth, stacks, growth->unfiltered);
	filter(growth, options, resolver);
	add_totals(growth, stacks, growth->totals);
	rows_group(growth, options, resolver);
	rows_rank(growth, options, stacks);
	if (series->count > 2 && !options->cumulative)
		trend_count(growth, series, options->sample,
			    stacks->stack_count);
	return 0;
}

void growth_free(struct growth *growth)
{
	free(growth->changes);
	free(growth->rows);
	free(growth->members);
	memset(growth, 0, sizeof(*growth));
}
