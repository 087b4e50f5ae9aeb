/*
 * Reads lists of wrappers and matches against them. The built-in list is
 * conf/leakdiff-wrappers.conf, included as it is.
 */
#include "diff/wrappers.h"

#include "diff/memory.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIST_NAME "leakdiff-wrappers.conf"
/* Beside the program's folder, wherever the prefix was. */
#define INSTALLED_LIST "../share/leakagent/" LIST_NAME
#define MODULE_PREFIX "module:"

struct wrapper_pattern {
	char *text;	/* `*` stands for anything */
	size_t literal; /* bytes before the first `*` */
	bool module;	/* compared with the module instead of the function */
	bool except;	/* takes matches of earlier lines back */
};

/* conf/leakdiff-wrappers.conf itself, for a leakdiff that is not installed. */
__asm__(".section .rodata\n"
	"builtin_wrappers:\n"
	".incbin \"conf/" LIST_NAME "\"\n"
	".byte 0\n"
	".previous\n");
extern const char builtin_wrappers[];

/* ---- matching ---- */

static bool matches(const char *pattern, const char *text)
{
	const char *star = NULL, *retry = NULL;

	/* Each `*` first takes nothing, then more as long as the rest fails. */
	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			retry = text;
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star;
			text = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

bool wrappers_match(const struct wrappers *wrappers, const char *function,
		    const char *module)
{
	/* The last line that matches decides. */
	for (size_t i = wrappers->count; i--;) {
		const struct wrapper_pattern *pattern = &wrappers->patterns[i];
		const char *subject = pattern->module ? module : function;

		if (subject &&
		    !strncmp(pattern->text, subject, pattern->literal) &&
		    matches(pattern->text, subject))
			return !pattern->except;
	}
	return false;
}

/* ---- reading ---- */

static int parse_line(struct wrappers *wrappers, const char *name,
		      size_t number, char *line, struct error *error)
{
	struct wrapper_pattern pattern = {0};
	size_t length;

	while (isspace((unsigned char)*line))
		line++;
	length = strlen(line);
	while (length && isspace((unsigned char)line[length - 1]))
		line[--length] = '\0';
	if (!*line || *line == '#')
		return 0;
	if (*line == '!') {
		pattern.except = true;
		wrappers->has_exceptions = true;
		line++;
	}
	if (!strncmp(line, MODULE_PREFIX, strlen(MODULE_PREFIX))) {
		pattern.module = true;
		line += strlen(MODULE_PREFIX);
	}
	if (!*line)
		return error_set(error, "%s:%zu: expected a function's name, "
				 "or " MODULE_PREFIX " and a file's name",
				 name, number);
	pattern.text = memory_copy_text(line);
	pattern.literal = strcspn(line, "*");
	wrappers->patterns = memory_extend(wrappers->patterns, wrappers->count,
					   &wrappers->capacity,
					   sizeof(*wrappers->patterns));
	wrappers->patterns[wrappers->count++] = pattern;
	return 0;
}

int wrappers_parse(struct wrappers *wrappers, const char *name,
		   const char *text, struct error *error)
{
	char *copy = memory_copy_text(text);
	char *rest = copy;
	size_t number = 0;
	int result = 0;

	while (!result && rest) {
		char *line = strsep(&rest, "\n");

		result = parse_line(wrappers, name, ++number, line, error);
	}
	free(copy);
	return result;
}

static char *read_text(FILE *file)
{
	char *text = NULL;
	size_t capacity = 0;

	/* A text without NUL is one delimited piece. */
	if (getdelim(&text, &capacity, '\0', file) < 0) {
		free(text);
		return ferror(file) ? NULL : memory_copy_text("");
	}
	return text;
}

static int load_file(struct wrappers *wrappers, const char *path,
		     bool *missing, struct error *error)
{
	FILE *file = fopen(path, "re");
	char *text;
	int result;

	*missing = !file && (errno == ENOENT || errno == ENOTDIR);
	if (!file)
		return error_set(error, "%s: cannot open it: %s", path,
				 strerror(errno));
	text = read_text(file);
	if (!text) {
		error_set(error, "%s: cannot read it: %s", path,
			  strerror(errno));
		fclose(file);
		return -1;
	}
	fclose(file);
	result = wrappers_parse(wrappers, path, text, error);
	free(text);
	return result;
}

static void load_installed(struct wrappers *wrappers, struct error *error)
{
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path,
				  sizeof(path) - sizeof(INSTALLED_LIST) - 1);
	bool missing;
	char *slash;

	if (length > 0) {
		path[length] = '\0';
		slash = strrchr(path, '/');
		strcpy(slash ? slash + 1 : path, INSTALLED_LIST);
		if (!load_file(wrappers, path, &missing, error))
			return;
	}
	wrappers_parse(wrappers, LIST_NAME, builtin_wrappers, error);
}

static int load_own(struct wrappers *wrappers, struct error *error)
{
	const char *config = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	char path[4096];
	bool missing;

	if (config && *config)
		snprintf(path, sizeof(path), "%s/leakdiff/wrappers", config);
	else if (home && *home)
		snprintf(path, sizeof(path), "%s/.config/leakdiff/wrappers",
			 home);
	else
		return 0;
	if (load_file(wrappers, path, &missing, error))
		return missing ? 0 : -1;
	return 0;
}

int wrappers_load(struct wrappers *wrappers, const char *extra,
		  struct error *error)
{
	bool missing;

	memset(wrappers, 0, sizeof(*wrappers));
	load_installed(wrappers, error);
	if (load_own(wrappers, error))
		return -1;
	return extra ? load_file(wrappers, extra, &missing, error) : 0;
}

void wrappers_free(struct wrappers *wrappers)
{
	for (size_t i = 0; i < wrappers->count; i++)
		free(wrappers->patterns[i].text);
	free(wrappers->patterns);
	memset(wrappers, 0, sizeof(*wrappers));
}
