/*
 * What a row stands for, in as few words as tell it from the others.
 */
#include "diff/base_name.h"
#include "diff/function_name.h"
#include "diff/report_text.h"
#include "diff/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static char *simple_name(const char *function)
{
	char *simple = memory_resize(NULL, strlen(function) + 1, 1);

	function_name_simplify(function, simple);
	return simple;
}

static void put_location(FILE *out, const struct row_place *place, bool brief)
{
	fputs(brief ? base_name(place->file) : place->file, out);
	if (place->line)
		fprintf(out, ":%d", place->line);
}

/* "libfoo.so+0x1234", "libfoo.so"; nothing where the function says it all */
static void put_module(FILE *out, const struct report *report,
		       const struct row_place *place, bool brief)
{
	const char *module = report_module(report, place->frame);

	if (place->has_address)
		fprintf(out, "%s+0x%" PRIx64, base_name(module ? module : "?"),
			report->resolver->stacks->frames[place->frame].offset);
	else if (!place->function)
		fputs(!module ? "(unknown)" :
		      brief   ? base_name(module) :
				module,
		      out);
}

/*
 * "handle  src/server.c:88", "handle  (libfoo.so+0x1234)", "libfoo.so+0x1234".
 * The address tells rows apart that share a function and have no line.
 */
static char *describe(const struct report *report,
		      const struct row_place *place, bool brief)
{
	char *text, *name, *safe;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (place->function) {
		name = simple_name(place->function);
		fputs(name, out);
		free(name);
	}
	if (place->function && (place->file || place->has_address))
		fputs(place->file ? "  " : "  (", out);
	if (place->file)
		put_location(out, place, brief);
	else
		put_module(out, report, place, brief);
	if (place->function && !place->file && place->has_address)
		putc(')', out);
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

char *text_place(const struct report *report, const struct row_place *place,
		 size_t room)
{
	char *text = describe(report, place, false);

	if (!room || text_width(text) <= room)
		return text;
	free(text);
	text = describe(report, place, true);
	cut(text, room);
	return text;
}
