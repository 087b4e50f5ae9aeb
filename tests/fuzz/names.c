/*
 * Names out of hostile files on their way to people: demangled, shortened,
 * looked up among the wrappers, and written for terminals and programs.
 */
#include "diff/demangle.h"
#include "diff/function_name.h"
#include "diff/json.h"
#include "diff/source_path.h"
#include "diff/text.h"
#include "diff/wrappers.h"
#include "tests/fuzz/plain.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(const char *name)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	json_text(out, name);
	fclose(out);
	check_plain(text, size);
	if (strchr(text, '\n'))
		abort();
	free(text);
}

static void check_text(const char *name)
{
	char *safe = text_escape(name);

	check_plain(safe, strlen(safe));
	if (strchr(safe, '\n') || text_width(safe) > strlen(safe))
		abort();
	free(safe);
}

static void check_name(const char *name, const struct wrappers *wrappers)
{
	char *simple = malloc(strlen(name) + 1);

	if (!simple)
		abort();
	memset(simple, 'x', strlen(name) + 1);
	function_name_simplify(name, simple);
	if (strlen(simple) > strlen(name))
		abort();
	wrappers_match(wrappers, simple, name);
	check_text(simple);
	check_json(simple);
	free(simple);
}

static void check_all(struct symbol_arena *arena, const char *name,
		      const struct wrappers *wrappers)
{
	const char *demangled = demangle(arena, name);
	const char *path = source_path(arena, name, name);

	check_name(name, wrappers);
	if (demangled)
		check_name(demangled, wrappers);
	if (path)
		check_text(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct symbol_arena arena = {0};
	struct wrappers wrappers = {0};
	struct error error;
	char *name = strndup((const char *)data, size);

	if (!name)
		abort();
	/* Nobody else writes the list; but it is text, too. */
	wrappers_parse(&wrappers, "fuzzed", name, &error);
	wrappers_parse(&wrappers, "", "std::*\n!std::a*b*c\nmodule:*lib*",
		       &error);
	check_all(&arena, name, &wrappers);
	wrappers_free(&wrappers);
	symbol_arena_free(&arena);
	free(name);
	return 0;
}
