/*
 * The tables of the text report. Cells are made first, measured, then printed.
 */
#include "diff/estimate.h"
#include "diff/report_text.h"
#include "diff/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Room for a callsite, even where the figures leave less. */
#define CALLSITE_MINIMUM 30

enum column {
	COLUMN_GROWTH,
	COLUMN_GROWTH_MARGIN,
	COLUMN_SHARE,
	COLUMN_LIVE,
	COLUMN_LIVE_MARGIN,
	COLUMN_OBJECTS,
	COLUMN_OBJECTS_MARGIN,
	COLUMN_RATE,
	COLUMN_STEPS,
	COLUMNS
};

struct tally {
	size_t rows;
	struct figure sum;
};

struct table {
	const struct text_part *part;
	enum kind kind;
	enum la_sample_type sample; /* what is ranked */
	const struct row **rows;
	size_t count;
	char (*cells)[COLUMNS][TEXT_NUMBER_SIZE];
	const char *titles[COLUMNS];
	size_t widths[COLUMNS]; /* 0 = column is not shown */
	/* Of all rows of the kind, */
	struct tally grown, shrunk;
	size_t noise_rows; /* but for those within their margins, */
	size_t noise_grown_rows; /* of which these seem to have grown */
};

static bool is_noise(const struct table *table, const struct row *row)
{
	return estimate_is_noise(growth_of(&row->values, table->sample),
				 row->values.variance.growth[table->sample]);
}

/* ---- cells ---- */

static void fill_cells(const struct table *table, const struct row *row,
		       char (*cells)[TEXT_NUMBER_SIZE])
{
	const struct growth *growth = table->part->growth;
	const struct values *values = &row->values;
	int64_t change = growth_of(values, table->sample);
	bool pair = growth->before;
	bool bytes = text_is_bytes(table->sample);
	enum la_sample_type live = bytes ? LA_INUSE_SPACE : LA_INUSE_OBJECTS;
	enum la_sample_type other = bytes ? LA_INUSE_OBJECTS : LA_INUSE_SPACE;

	text_amount(cells[COLUMN_GROWTH], change, table->sample, pair);
	text_margin(cells[COLUMN_GROWTH_MARGIN],
		    values->variance.growth[table->sample], table->sample);
	if (change > 0 && table->grown.sum.amount > 0 && !is_noise(table, row))
		snprintf(cells[COLUMN_SHARE], TEXT_NUMBER_SIZE, "%.1f%%",
			 100 * (double)change /
				 (double)table->grown.sum.amount);
	if (pair || live != table->sample) {
		text_amount(cells[COLUMN_LIVE], values->after[live], live,
			    false);
		text_margin(cells[COLUMN_LIVE_MARGIN],
			    values->variance.after[live], live);
	}
	if (table->kind != KIND_THREAD) {
		text_amount(cells[COLUMN_OBJECTS], growth_of(values, other),
			    other, pair);
		text_margin(cells[COLUMN_OBJECTS_MARGIN],
			    values->variance.growth[other], other);
	}
	if (growth->seconds > 0)
		text_rate(cells[COLUMN_RATE], report_rate(growth, change),
			  bytes);
	if (growth->steps > 1)
		snprintf(cells[COLUMN_STEPS], TEXT_NUMBER_SIZE,
			 "%" PRIu32 "/%" PRIu32, row->grown_steps,
			 growth->steps);
}

static void set_titles(struct table *table)
{
	bool allocated = table->sample == LA_ALLOC_SPACE ||
			 table->sample == LA_ALLOC_OBJECTS;

	table->titles[COLUMN_GROWTH] =
		allocated		    ? "allocated" :
		table->part->growth->before ? "growth" :
					      "live";
	table->titles[COLUMN_GROWTH_MARGIN] = "";
	table->titles[COLUMN_LIVE_MARGIN] = "";
	table->titles[COLUMN_OBJECTS_MARGIN] = "";
	table->titles[COLUMN_SHARE] = "share";
	table->titles[COLUMN_LIVE] = "live";
	table->titles[COLUMN_OBJECTS] =
		text_is_bytes(table->sample) ? "objects" : "bytes";
	table->titles[COLUMN_RATE] = "rate";
	table->titles[COLUMN_STEPS] = "steps";
}

static void measure(struct table *table)
{
	for (int column = 0; column < COLUMNS; column++) {
		size_t widest = 0;

		for (size_t i = 0; i < table->count; i++) {
			size_t width = text_width(table->cells[i][column]);

			if (width > widest)
				widest = width;
		}
		if (widest && widest < strlen(table->titles[column]))
			widest = strlen(table->titles[column]);
		table->widths[column] = widest;
	}
}

static bool is_margin(int column)
{
	return column == COLUMN_GROWTH_MARGIN ||
	       column == COLUMN_LIVE_MARGIN ||
	       column == COLUMN_OBJECTS_MARGIN;
}

static size_t gap_before(int column)
{
	return is_margin(column) ? 1 : 2;
}

static size_t figures_width(const struct table *table)
{
	size_t width = 0;

	for (int column = 0; column < COLUMNS; column++) {
		if (table->widths[column])
			width += table->widths[column] + gap_before(column);
	}
	return width;
}

static bool is_wide(const struct table *table)
{
	size_t width = table->part->report->width;

	return width && figures_width(table) + 2 + CALLSITE_MINIMUM > width;
}

/* On a narrow terminal the callsite matters more than all but one margin. */
static void drop_margins(struct table *table)
{
	if (!is_wide(table))
		return;
	table->widths[COLUMN_LIVE_MARGIN] = 0;
	table->widths[COLUMN_OBJECTS_MARGIN] = 0;
}

/* ---- tables ---- */

static const char *noun(const struct table *table, size_t count)
{
	static const char *const nouns[][2] = {
		[BY_CALLSITE] = {"callsite", "callsites"},
		[BY_STACK] = {"stack", "stacks"},
		[BY_FUNCTION] = {"function", "functions"},
		[BY_LINE] = {"line", "lines"},
		[BY_FILE] = {"file", "files"},
		[BY_MODULE] = {"module", "modules"},
	};

	return nouns[table->part->report->options->growth.by][count != 1];
}

/* With --cum rows overlap: what they are shares of is the sum of stacks. */
static int64_t grown_stacks(const struct table *table)
{
	const struct growth *growth = table->part->growth;
	const struct stacks *stacks = table->part->report->resolver->stacks;
	int64_t sum = 0;

	for (size_t i = 0; i < growth->change_count; i++) {
		const struct change *change = &growth->changes[i];
		int64_t grown = growth_of(&change->values, table->sample);

		if (grown > 0 &&
		    stacks->stacks[change->stack].kind == table->kind)
			sum += grown;
	}
	return sum;
}

static void add_to_tally(struct tally *tally, const struct row *row,
			 enum la_sample_type sample)
{
	tally->rows++;
	tally->sum.amount += growth_of(&row->values, sample);
	tally->sum.variance += row->values.variance.growth[sample];
}

static void count_rows(struct table *table)
{
	const struct growth *growth = table->part->growth;

	for (size_t i = 0; i < growth->row_count; i++) {
		const struct row *row = &growth->rows[i];
		int64_t change = growth_of(&row->values, table->sample);

		if (row->kind != table->kind || !change)
			continue;
		if (is_noise(table, row)) {
			table->noise_rows++;
			table->noise_grown_rows += change > 0;
		} else {
			add_to_tally(change > 0 ? &table->grown :
						  &table->shrunk,
				     row, table->sample);
		}
	}
	if (table->part->report->options->growth.cumulative)
		table->grown.sum.amount = grown_stacks(table);
}

/* With --cum rows overlap, and their sum means nothing. */
static void put_sum(const struct table *table, const char *before,
		    const struct figure *sum)
{
	char amount[TEXT_NUMBER_SIZE], margin[TEXT_NUMBER_SIZE];

	if (table->part->report->options->growth.cumulative)
		return;
	text_amount(amount, sum->amount < 0 ? -sum->amount : sum->amount,
		    table->sample, false);
	text_margin(margin, sum->variance, table->sample);
	fprintf(table->part->out, "%s%s%s%s", before, amount,
		*margin ? " " : "", margin);
}

static void put_headline(const struct table *table)
{
	const struct text_part *part = table->part;
	const struct tally *grown = &table->grown, *shrunk = &table->shrunk;
	bool pair = part->growth->before;

	putc('\n', part->out);
	text_style(part, STYLE_BOLD);
	fprintf(part->out, "%s: ", kind_name(table->kind));
	text_style(part, STYLE_PLAIN);
	if (grown->rows) {
		fprintf(part->out, "%zu %s %s", grown->rows,
			noun(table, grown->rows), pair ? "grew" : "live");
		put_sum(table, pair ? " by " : ", ", &grown->sum);
	} else {
		fputs(pair ? "nothing grew" : "nothing is live", part->out);
		fputs(table->noise_rows ? " for certain" : "", part->out);
	}
	if (shrunk->rows) {
		fprintf(part->out, ", %zu %s shrank", shrunk->rows,
			noun(table, shrunk->rows));
		put_sum(table, " by ", &shrunk->sum);
	}
	if (table->noise_rows)
		fprintf(part->out, ", %zu %s within noise", table->noise_rows,
			noun(table, table->noise_rows));
	putc('\n', part->out);
}

/* To the right, but for a margin, which follows its figure closely. */
static void put_cell(const struct table *table, int column, const char *text)
{
	int padding = (int)(table->widths[column] - text_width(text));
	int before = (int)gap_before(column) + (is_margin(column) ? 0 : padding);
	int after = is_margin(column) ? padding : 0;

	fprintf(table->part->out, "%*s%s%*s", before, "", text, after, "");
}

static void put_titles(const struct table *table)
{
	FILE *out = table->part->out;

	text_style(table->part, STYLE_DIM);
	for (int column = 0; column < COLUMNS; column++) {
		if (table->widths[column])
			put_cell(table, column, table->titles[column]);
	}
	fprintf(out, "  %s", noun(table, 1));
	text_style(table->part, STYLE_PLAIN);
	putc('\n', out);
}

/* Columns that are left for the callsite, 0 = any number. */
static size_t room_for_place(const struct table *table)
{
	size_t width = table->part->report->width;
	size_t used = figures_width(table) + 2;

	if (!width)
		return 0;
	return width > used + CALLSITE_MINIMUM ? width - used :
						 CALLSITE_MINIMUM;
}

static void put_row(const struct table *table, size_t number)
{
	const struct text_part *part = table->part;
	const struct row *row = table->rows[number];
	char *callsite = text_place(part->report, &row->place,
				    room_for_place(table));

	for (int column = 0; column < COLUMNS; column++) {
		if (!table->widths[column])
			continue;
		if (column == COLUMN_GROWTH)
			text_style(part, STYLE_RED);
		put_cell(table, column, table->cells[number][column]);
		if (column == COLUMN_GROWTH)
			text_style(part, STYLE_PLAIN);
	}
	fputs("  ", part->out);
	text_style(part, STYLE_BOLD);
	fputs(callsite, part->out);
	text_style(part, STYLE_PLAIN);
	putc('\n', part->out);
	free(callsite);
	/* What may be nothing needs no explanation. */
	if (!row->noise)
		text_paths(part, row);
}

static void put_noise_line(const struct table *table)
{
	text_style(table->part, STYLE_DIM);
	fputs("  -- from here on less than ±: it may be noise --",
	      table->part->out);
	text_style(table->part, STYLE_PLAIN);
	putc('\n', table->part->out);
}

static void put_table(struct table *table)
{
	size_t all = table->grown.rows + table->noise_grown_rows;

	table->cells = memory_alloc(table->count, sizeof(*table->cells));
	for (size_t i = 0; i < table->count; i++)
		fill_cells(table, table->rows[i], table->cells[i]);
	set_titles(table);
	measure(table);
	drop_margins(table);
	put_titles(table);
	for (size_t i = 0; i < table->count; i++) {
		if (table->rows[i]->noise && (!i || !table->rows[i - 1]->noise))
			put_noise_line(table);
		put_row(table, i);
	}
	if (table->part->report->options->growth.sort != SORT_LIVE &&
	    table->count < all)
		fprintf(table->part->out, "  %zu more; --top %zu shows all\n",
			all - table->count, all);
	free(table->cells);
}

static void put_kind(const struct text_part *part, enum kind kind,
		     const struct row **rows, size_t count)
{
	struct table table = {
		.part = part,
		.kind = kind,
		.sample = growth_sample(kind,
					part->report->options->growth.sample),
		.rows = rows,
		.count = count,
	};

	count_rows(&table);
	if (!count && !table.shrunk.rows && kind != KIND_HEAP)
		return;
	put_headline(&table);
	if (count)
		put_table(&table);
}

void text_rows(const struct text_part *part)
{
	const struct options *options = &part->report->options[0];
	enum row_filter filter =
		options->growth.sort == SORT_LIVE ? ROWS_LIVE : ROWS_GROWN;
	size_t count, start = 0, end;
	const struct row **rows =
		report_rows(part->report, part->growth, filter, &count);

	for (enum kind kind = KIND_HEAP; kind < KINDS; kind++) {
		for (end = start; end < count && rows[end]->kind == kind;)
			end++;
		if (options->growth.kinds[kind])
			put_kind(part, kind, rows + start, end - start);
		start = end;
	}
	free(rows);
}
