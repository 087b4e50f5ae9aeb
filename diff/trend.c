/*
 * Sums each snapshot by row and counts the steps up.
 */
#include "diff/trend.h"

#include <stdlib.h>

/* Rows as `row_of` tells by stack: number + 1, or 0. */
static void sum_rows(const struct snapshot *snapshot, const uint32_t *row_of,
		     const struct row *rows, enum la_sample_type sample,
		     int64_t *sums)
{
	for (size_t i = 0; i < snapshot->entry_count; i++) {
		const struct snapshot_entry *entry = &snapshot->entries[i];
		uint32_t row = row_of[entry->stack];

		if (row)
			sums[row - 1] += entry->values[growth_sample(
				rows[row - 1].kind, sample)];
	}
}

static uint32_t *map_stacks(const struct growth *growth, size_t stack_count)
{
	uint32_t *row_of = memory_alloc(stack_count, sizeof(*row_of));

	for (size_t i = 0; i < growth->row_count; i++) {
		const struct row *row = &growth->rows[i];

		for (size_t j = 0; j < row->change_count; j++) {
			uint32_t change = row->changes[j];

			row_of[growth->changes[change].stack] =
				(uint32_t)i + 1;
		}
	}
	return row_of;
}

void trend_count(struct growth *growth, const struct series *series,
		 enum la_sample_type sample, size_t stack_count)
{
	uint32_t *row_of = map_stacks(growth, stack_count);
	int64_t *last = memory_alloc(growth->row_count, sizeof(*last));
	int64_t *now;

	growth->steps = (uint32_t)series->count - 1;
	for (size_t i = 0; i < series->count; i++) {
		now = memory_alloc(growth->row_count, sizeof(*now));
		sum_rows(series->snapshots[i], row_of, growth->rows, sample,
			 now);
		for (size_t row = 0; i && row < growth->row_count; row++)
			growth->rows[row].grown_steps += now[row] > last[row];
		free(last);
		last = now;
	}
	free(last);
	free(row_of);
}
