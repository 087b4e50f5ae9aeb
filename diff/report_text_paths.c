/*
 * The lines under a row: the largest paths that lead there.
 */
#include "diff/paths.h"
#include "diff/report_text.h"
#include "diff/text.h"

#include <stdlib.h>
#include <string.h>

#define PATHS_SHOWN 3
#define PATH_FRAMES_SHOWN 8
/* "1 more" would take as much room as that one. */
#define PATH_FRAMES_MOST (PATH_FRAMES_SHOWN + 1)
/* Smaller paths are noise. */
#define PATH_MINIMUM_SHARE 0.01
#define PATH_INDENT 4
#define ARROW " <- "

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
	size_t shown = count <= PATH_FRAMES_MOST ? count : PATH_FRAMES_SHOWN;
	const char *arrow = paths_have_callsite(part->report) ? " " : ARROW;
	size_t column = indent;

	for (size_t i = 0; i < shown; i++) {
		char *safe = text_escape(frames[i]);
		size_t needed = strlen(arrow) + text_width(safe);

		if (width && column > indent && column + needed > width) {
			fprintf(part->out, "\n%*s", (int)indent, "");
			column = indent;
		}
		fprintf(part->out, "%s%s", arrow, safe);
		column += needed;
		arrow = ARROW;
		free(safe);
	}
	if (shown < count)
		fprintf(part->out, ARROW "%zu more", count - shown);
}

static void put_path(const struct text_part *part, const struct path *path,
		     int64_t total)
{
	size_t count, indent;
	char **frames = paths_frames(part->report, path, PATH_FRAMES_MOST,
				     &count);

	if (count) {
		text_style(part, STYLE_DIM);
		indent = put_share(part->out,
				   (double)path->change / (double)total);
		put_chain(part, frames, count, indent);
		text_style(part, STYLE_PLAIN);
		putc('\n', part->out);
	}
	for (size_t i = 0; i < count && i < PATH_FRAMES_MOST; i++)
		free(frames[i]);
	free(frames);
}

void text_paths(const struct text_part *part, const struct row *row)
{
	int64_t total;
	size_t count, shown = 0;
	struct path *paths = paths_of_row(part->report, part->growth, row,
					  &count, &total);

	while (shown < count && shown < PATHS_SHOWN &&
	       paths[shown].change > 0 &&
	       (!shown || (double)paths[shown].change >=
				  PATH_MINIMUM_SHARE * (double)total))
		put_path(part, &paths[shown++], total);
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
