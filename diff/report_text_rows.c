#include "diff/function_name.h"
#include "diff/paths.h"
#include "diff/report_text.h"
#include "diff/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PATHS_SHOWN 3
#define PATH_FRAMES_SHOWN 8
/* Smaller paths are noise. */
#define PATH_MINIMUM_SHARE 0.01
/* Room for a callsite, even where the figures leave less. */
#define CALLSITE_MINIMUM 30
#define PATH_INDENT 4
#define ARROW " <- "

enum column {
	COLUMN_GROWTH,
	COLUMN_SHARE,
	COLUMN_LIVE,
	COLUMN_OBJECTS,
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
	int64_t grown, shrunk;	/* of all rows of the kind */
	size_t grown_rows, shrunk_rows;
};

static bool is_bytes(enum la_sample_type sample)
{
	return sample == LA_INUSE_SPACE || sample == LA_ALLOC_SPACE;
}

static void put_amount(char text[TEXT_NUMBER_SIZE], int64_t amount,
		       enum la_sample_type sample, bool plus)
{
	if (is_bytes(sample))
		text_size(text, amount, plus);
	else
		text_count(text, amount, plus);
}

/* ---- cells ---- */

static void fill_cells(const struct table *table, const struct row *row,
		       char (*cells)[TEXT_NUMBER_SIZE])
{
	const struct growth *growth = table->part->growth;
	const struct values *values = &row->values;
	int64_t change = growth_of(values, table->sample);
	bool pair = growth->before;
	enum la_sample_type live = is_bytes(table->sample) ? LA_INUSE_SPACE :
							     LA_INUSE_OBJECTS;
	enum la_sample_type other =
		is_bytes(table->sample) ? LA_INUSE_OBJECTS : LA_INUSE_SPACE;

	put_amount(cells[COLUMN_GROWTH], change, table->sample, pair);
	if (change > 0 && table->grown > 0)
		snprintf(cells[COLUMN_SHARE], TEXT_NUMBER_SIZE, "%.1f%%",
			 100 * (double)change / (double)table->grown);
	if (pair || live != table->sample)
		put_amount(cells[COLUMN_LIVE], values->after[live], live,
			   false);
	if (table->kind != KIND_THREAD)
		put_amount(cells[COLUMN_OBJECTS], growth_of(values, other),
			   other, pair);
	if (growth->seconds > 0)
		text_rate(cells[COLUMN_RATE], report_rate(growth, change),
			  is_bytes(table->sample));
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
	table->titles[COLUMN_SHARE] = "share";
	table->titles[COLUMN_LIVE] = "live";
	table->titles[COLUMN_OBJECTS] = is_bytes(table->sample) ? "objects" :
								  "bytes";
	table->titles[COLUMN_RATE] = "rate";
	table->titles[COLUMN_STEPS] = "steps";
}

static void measure(struct table *table)
{
	for (int column = 0; column < COLUMNS; column++) {
		size_t widest = 0;

		for (size_t i = 0; i < table->count; i++) {
			size_t width = strlen(table->cells[i][column]);

			if (width > widest)
				widest = width;
		}
		if (widest && widest < strlen(table->titles[column]))
			widest = strlen(table->titles[column]);
		table->widths[column] = widest;
	}
}

static size_t figures_width(const struct table *table)
{
	size_t width = 0;

	for (int column = 0; column < COLUMNS; column++) {
		if (table->widths[column])
			width += table->widths[column] + 2;
	}
	return width;
}

/* ---- callsites ---- */

static char *simple_name(const char *function)
{
	char *simple = memory_resize(NULL, strlen(function) + 1, 1);

	function_name_simplify(function, simple);
	return simple;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static void put_location(FILE *out, const struct row_place *place, bool brief)
{
	fputs(brief ? base_name(place->file) : place->file, out);
	if (place->line)
		fprintf(out, ":%d", place->line);
}

/* "handle  src/server.c:88", "handle  (libfoo.so)", "libfoo.so+0x1234" */
static char *describe(const struct table *table, const struct row *row,
		      bool brief)
{
	const struct report *report = table->part->report;
	const struct row_place *place = &row->place;
	const char *module = report_module(report, place->frame);
	char *text, *name, *safe;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (place->function) {
		name = simple_name(place->function);
		fputs(name, out);
		free(name);
	}
	if (place->file) {
		if (place->function)
			fputs("  ", out);
		put_location(out, place, brief);
	} else if (!place->function && place->has_address) {
		fprintf(out, "%s+0x%" PRIx64,
			base_name(module ? module : "?"),
			report->resolver->stacks->frames[place->frame].offset);
	} else if (module) {
		fprintf(out, place->function ? "  (%s)" : "%s",
			place->function || brief ? base_name(module) : module);
	} else if (!place->function) {
		fputs("(unknown)", out);
	}
	fclose(out);
	safe = text_escape(text);
	free(text);
	return safe;
}

/* Cuts after so many columns, with a mark that something is missing. */
static void cut(char *text, size_t width)
{
	size_t done = 0;

	if (text_width(text) <= width)
		return;
	for (; *text; text++) {
		if ((*text & 0xc0) != 0x80 && done++ == width - 3) {
			strcpy(text, "...");
			return;
		}
	}
}

static char *fit_callsite(const struct table *table, const struct row *row)
{
	size_t width = table->part->report->width;
	size_t used = figures_width(table) + 2;
	size_t room;
	char *text = describe(table, row, false);

	if (!width)
		return text;
	room = width > used + CALLSITE_MINIMUM ? width - used :
						 CALLSITE_MINIMUM;
	if (text_width(text) <= room)
		return text;
	free(text);
	text = describe(table, row, true);
	cut(text, room);
	return text;
}

/* ---- paths ---- */

static size_t put_share(FILE *out, double share)
{
	return (size_t)fprintf(out, "%*s%5.1f%%", PATH_INDENT, "",
			       100 * share);
}

/* Breaks lines before an arrow where the terminal ends. */
static void put_chain(const struct text_part *part, char *const *frames,
		      size_t count, size_t indent)
{
	size_t width = part->report->width;
	size_t shown = count <= PATH_FRAMES_SHOWN + 1 ? count :
							PATH_FRAMES_SHOWN;
	size_t column = indent;

	for (size_t i = 0; i < shown; i++) {
		char *safe = text_escape(frames[i]);
		size_t needed = strlen(ARROW) + text_width(safe);

		if (width && column > indent && column + needed > width) {
			fprintf(part->out, "\n%*s", (int)indent, "");
			column = indent;
		}
		fprintf(part->out, "%s%s", ARROW, safe);
		column += needed;
		free(safe);
	}
	if (shown < count)
		fprintf(part->out, ARROW "%zu more", count - shown);
}

static void put_path(const struct table *table, const struct path *path,
		     int64_t total)
{
	const struct text_part *part = table->part;
	size_t count, indent;
	char **frames = paths_frames(part->report, path, &count);

	if (count) {
		text_style(part, STYLE_DIM);
		indent = put_share(part->out,
				   (double)path->change / (double)total);
		put_chain(part, frames, count, indent);
		text_style(part, STYLE_PLAIN);
		putc('\n', part->out);
	}
	for (size_t i = 0; i < count; i++)
		free(frames[i]);
	free(frames);
}

static void put_paths(const struct table *table, const struct row *row)
{
	const struct text_part *part = table->part;
	int64_t total;
	size_t count, shown = 0;
	struct path *paths = paths_of_row(part->report, part->growth, row,
					  &count, &total);

	while (shown < count && shown < PATHS_SHOWN &&
	       paths[shown].change > 0 &&
	       (!shown || (double)paths[shown].change >=
				  PATH_MINIMUM_SHARE * (double)total))
		put_path(table, &paths[shown++], total);
	while (count && paths[count - 1].change <= 0)
		count--;
	if (shown && shown < count) {
		text_style(part, STYLE_DIM);
		fprintf(part->out, "%*s%zu more paths\n", PATH_INDENT + 7, "",
			count - shown);
		text_style(part, STYLE_PLAIN);
	}
	free(paths);
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

static void count_rows(struct table *table)
{
	const struct growth *growth = table->part->growth;

	for (size_t i = 0; i < growth->row_count; i++) {
		const struct row *row = &growth->rows[i];
		int64_t change = growth_of(&row->values, table->sample);

		if (row->kind != table->kind || !change)
			continue;
		if (change > 0) {
			table->grown += change;
			table->grown_rows++;
		} else {
			table->shrunk -= change;
			table->shrunk_rows++;
		}
	}
}

/* With --cum rows overlap, and their sum means nothing. */
static void put_headline(const struct table *table)
{
	const struct text_part *part = table->part;
	bool sums = !part->report->options->growth.cumulative;
	char text[TEXT_NUMBER_SIZE];

	putc('\n', part->out);
	text_style(part, STYLE_BOLD);
	fprintf(part->out, "%s: ", kind_name(table->kind));
	text_style(part, STYLE_PLAIN);
	if (!table->grown_rows)
		fputs(part->growth->before ? "nothing grew" : "nothing is live",
		      part->out);
	else
		fprintf(part->out, "%zu %s %s", table->grown_rows,
			noun(table, table->grown_rows),
			part->growth->before ? "grew" : "live");
	if (table->grown_rows && sums) {
		put_amount(text, table->grown, table->sample, false);
		fprintf(part->out, part->growth->before ? " by %s" : ", %s",
			text);
	}
	if (table->shrunk_rows) {
		fprintf(part->out, ", %zu %s shrank", table->shrunk_rows,
			noun(table, table->shrunk_rows));
		put_amount(text, table->shrunk, table->sample, false);
		if (sums)
			fprintf(part->out, " by %s", text);
	}
	putc('\n', part->out);
}

static void put_titles(const struct table *table)
{
	FILE *out = table->part->out;

	text_style(table->part, STYLE_DIM);
	for (int column = 0; column < COLUMNS; column++) {
		if (table->widths[column])
			fprintf(out, "  %*s", (int)table->widths[column],
				table->titles[column]);
	}
	fprintf(out, "  %s", noun(table, 1));
	text_style(table->part, STYLE_PLAIN);
	putc('\n', out);
}

static void put_row(const struct table *table, size_t number)
{
	const struct text_part *part = table->part;
	const struct row *row = table->rows[number];
	char *callsite = fit_callsite(table, row);

	for (int column = 0; column < COLUMNS; column++) {
		if (!table->widths[column])
			continue;
		if (column == COLUMN_GROWTH)
			text_style(part, STYLE_RED);
		fprintf(part->out, "  %*s", (int)table->widths[column],
			table->cells[number][column]);
		if (column == COLUMN_GROWTH)
			text_style(part, STYLE_PLAIN);
	}
	fputs("  ", part->out);
	text_style(part, STYLE_BOLD);
	fputs(callsite, part->out);
	text_style(part, STYLE_PLAIN);
	putc('\n', part->out);
	free(callsite);
	put_paths(table, row);
}

static void put_table(struct table *table)
{
	size_t all = table->grown_rows;

	table->cells = memory_alloc(table->count, sizeof(*table->cells));
	for (size_t i = 0; i < table->count; i++)
		fill_cells(table, table->rows[i], table->cells[i]);
	set_titles(table);
	measure(table);
	put_titles(table);
	for (size_t i = 0; i < table->count; i++)
		put_row(table, i);
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
	if (!count && !table.shrunk_rows && kind != KIND_HEAP)
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
