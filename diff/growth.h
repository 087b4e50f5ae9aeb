/*
 * What grew between two snapshots: their stacks side by side, grouped into
 * rows and ranked. Knows nothing of output.
 */
#ifndef DIFF_GROWTH_H
#define DIFF_GROWTH_H

#include "diff/focus.h"
#include "diff/series.h"

enum group_by {
	BY_CALLSITE,
	BY_STACK,
	BY_FUNCTION,
	BY_LINE,
	BY_FILE,
	BY_MODULE
};

enum sort_by {
	SORT_GROWTH,
	SORT_LIVE,
	SORT_OBJECTS,
	SORT_RATE,
	SORT_PERCENT
};

struct growth_options {
	enum la_sample_type sample;
	enum group_by by;
	enum sort_by sort;
	bool cumulative;        /* a stack counts for each of its frames */
	bool kinds[KINDS];      /* which are wanted */
	int64_t minimum;        /* rows that changed by less are left out */
	struct focus *focus;
};

/* How uncertain values are, as estimate.h has it; 0 where they are exact. */
struct variances {
	double before[LA_SAMPLE_TYPES], after[LA_SAMPLE_TYPES];
	double growth[LA_SAMPLE_TYPES];
};

/* Values of both snapshots; those of a single one are in `after`. */
struct values {
	int64_t before[LA_SAMPLE_TYPES], after[LA_SAMPLE_TYPES];
	struct variances variance;
};

/* A stack in both snapshots. */
struct change {
	uint32_t stack;
	struct values values;
};

/* What a row stands for. Unknown, or not what rows are grouped by: NULL, 0. */
struct row_place {
	const char *function, *file;
	int line;
	uint32_t frame; /* of the row's first stack, or GROWTH_NO_FRAME */
	bool has_address;
};

#define GROWTH_NO_FRAME UINT32_MAX

struct row {
	enum kind kind;
	struct row_place place;
	struct values values;
	const uint32_t *changes; /* numbers in growth.changes, most first */
	size_t change_count;
	uint32_t grown_steps; /* of growth.steps, from one snapshot to the
				 next; only with three snapshots or more */
	bool noise; /* what it is ranked by is smaller than its margin */
};

struct growth {
	const struct snapshot *before; /* NULL: a single snapshot */
	const struct snapshot *after;
	bool same_process;
	double seconds; /* between them; 0 if unknown or meaningless */
	uint32_t steps; /* snapshots in the series - 1 */
	bool estimated; /* values have variances */

	struct change *changes; /* what the filters let through */
	size_t change_count;
	struct values totals[KINDS]; /* of the changes */
	struct values unfiltered[KINDS];

	struct row *rows; /* heap, mmap, thread; ranked within each */
	size_t row_count;
	uint32_t *members; /* what the rows' `changes` point into */
};

/* Returns 0, or -1 when the difference overflows. */
int growth_rank(struct growth *growth, const struct series *series,
		const struct growth_options *options,
		struct resolver *resolver, struct error *error);

static inline int64_t growth_of(const struct values *values,
				enum la_sample_type type)
{
	return values->after[type] - values->before[type];
}

void values_add(struct values *sum, const struct values *values);

/* What counts for this kind: threads have no bytes, so they count objects. */
enum la_sample_type growth_sample(enum kind kind, enum la_sample_type sample);

struct figure {
	int64_t amount;
	double variance;
};

/* Growth of the selected rows, each stack once; threads by their bytes. */
struct figure growth_selected(const struct growth *growth,
			      enum la_sample_type sample);

void growth_free(struct growth *growth);

#endif
