/*
 * The tables of the text report. Cells are made first, measured, then printed.
 * The line above each table is report_text_sums.c's.
 */
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

struct table {
	const struct text_part *part;
	enum kind kind;
	enum la_sample_type sample; /* what is ranked */
	const struct row **rows;
	size_t count;
	char (*cells)[COLUMNS][TEXT_NUMBER_SIZE];
	const char *titles[COLUMNS];
	size_t widths[COLUMNS]; /* 0 = column is not shown */
	struct text_sums sums;
};

/* ---- cells ---- */

static void fill_cells(const struct table *table, const struct row *row,
		       char (*cells)[TEXT_NUMBER_SIZE])
{
	const struct growth *growth = table->part->growth;
	const struct values *values = &row->values;
	int64_t change = growth_of(values, table->sample);
	int64_t whole = table->sums.grown.sum.amount;
	bool pair = growth->before;
	bool bytes = text_is_bytes(table->sample);
	enum la_sample_type live = bytes ? LA_INUSE_SPACE : LA_INUSE_OBJECTS;
	enum la_sample_type other = bytes ? LA_INUSE_OBJECTS : LA_INUSE_SPACE;

	text_amount(cells[COLUMN_GROWTH], change, table->sample, pair);
	text_margin(cells[COLUMN_GROWTH_MARGIN],
		    values->variance.growth[table->sample], table->sample);
	if (change > 0 && whole > 0 &&
	    !text_growth_is_noise(row, table->sample))
		snprintf(cells[COLUMN_SHARE], TEXT_NUMBER_SIZE, "%.1f%%",
			 100 * (double)change / (double)whole);
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
	fprintf(out, "  %s", text_noun(table->part, 1));
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
	size_t all = table->sums.grown.rows + table->sums.noise_grown_rows;

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

	text_sums_count(&table.sums, part, kind, table.sample);
	if (!count && !table.sums.shrunk.rows && kind != KIND_HEAP)
		return;
	text_headline(&table.sums, part, kind, table.sample);
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
