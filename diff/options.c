/*
 * The command line, with getopt_long. What it means is in usage.c.
 */
#include "diff/options.h"

#include "diff/size.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEFAULT_TEXT_ROWS 20

enum {
	OPTION_BY = 256,
	OPTION_SAMPLE,
	OPTION_SORT,
	OPTION_CUM,
	OPTION_FOCUS,
	OPTION_IGNORE,
	OPTION_KIND,
	OPTION_MIN,
	OPTION_TOP,
	OPTION_FORMAT,
	OPTION_FAIL_OVER,
	OPTION_AS_GIVEN,
	OPTION_FORCE,
	OPTION_SYMBOLS,
	OPTION_SYSROOT,
	OPTION_WRAPPERS,
	OPTION_HELP,
	OPTION_VERSION
};

static const struct option long_options[] = {
	{"by", required_argument, NULL, OPTION_BY},
	{"sample", required_argument, NULL, OPTION_SAMPLE},
	{"sort", required_argument, NULL, OPTION_SORT},
	{"cum", no_argument, NULL, OPTION_CUM},
	{"focus", required_argument, NULL, OPTION_FOCUS},
	{"ignore", required_argument, NULL, OPTION_IGNORE},
	{"kind", required_argument, NULL, OPTION_KIND},
	{"min", required_argument, NULL, OPTION_MIN},
	{"top", required_argument, NULL, OPTION_TOP},
	{"format", required_argument, NULL, OPTION_FORMAT},
	{"output", required_argument, NULL, 'o'},
	{"fail-over", required_argument, NULL, OPTION_FAIL_OVER},
	{"as-given", no_argument, NULL, OPTION_AS_GIVEN},
	{"force", no_argument, NULL, OPTION_FORCE},
	{"symbols", required_argument, NULL, OPTION_SYMBOLS},
	{"sysroot", required_argument, NULL, OPTION_SYSROOT},
	{"wrappers", required_argument, NULL, OPTION_WRAPPERS},
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{NULL, 0, NULL, 0},
};

static const char *const by_words[] = {"callsite", "stack", "function",
				       "line",	   "file",  "module", NULL};
static const char *const sample_words[] = {"alloc_objects", "alloc_space",
					   "inuse_objects", "inuse_space",
					   NULL};
static const char *const sort_words[] = {"growth", "live",    "objects",
					 "rate",   "percent", NULL};
static const char *const kind_words[] = {LA_KIND_HEAP, LA_KIND_MMAP,
					 LA_KIND_THREAD, NULL};
static const char *const format_words[] = {"text",   "json",  "csv",
					   "folded", "pprof", NULL};

/* The place of a word in its list, or -1 with an error that names them all. */
static int parse_word(const char *option, const char *word,
		      const char *const *words, struct error *error)
{
	char known[256] = "";

	for (int i = 0; words[i]; i++) {
		if (!strcmp(word, words[i]))
			return i;
		if (i)
			strcat(known, words[i + 1] ? ", " : " or ");
		strcat(known, words[i]);
	}
	return error_set(error, "%s %s: expected %s", option, word, known);
}

static int parse_kinds(struct options *options, const char *list,
		       struct error *error)
{
	char *copy = memory_copy_text(list);
	char *rest = copy;
	int kind = 0;

	memset(options->growth.kinds, 0, sizeof(options->growth.kinds));
	while (rest && kind >= 0) {
		kind = parse_word("--kind", strsep(&rest, ","), kind_words,
				  error);
		if (kind >= 0)
			options->growth.kinds[kind] = true;
	}
	free(copy);
	return kind < 0 ? -1 : 0;
}

static int parse_size(const char *option, const char *text, int64_t *size,
		      struct error *error)
{
	if (size_parse(text, size))
		return 0;
	return error_set(error,
			 "%s %s: expected a size, such as 4096, 64k, 10M or 2G",
			 option, text);
}

static int parse_top(const char *text, int64_t *top, struct error *error)
{
	char *end;

	errno = 0;
	*top = strtoll(text, &end, 10);
	if (!errno && end != text && !*end && *top > 0)
		return 0;
	return error_set(error, "--top %s: expected a number of rows above 0",
			 text);
}

static int check_folder(const char *option, const char *path,
			struct error *error)
{
	struct stat file;
	int problem = stat(path, &file) ? errno :
		      S_ISDIR(file.st_mode) ? 0 : ENOTDIR;

	return problem ? error_set(error, "%s %s: %s", option, path,
				   strerror(problem)) :
			 0;
}

static int add_symbol_dir(struct options *options, const char *dir,
			  struct error *error)
{
	size_t count = 0;

	if (check_folder("--symbols", dir, error))
		return -1;
	while (options->symbol_dirs && options->symbol_dirs[count])
		count++;
	options->symbol_dirs = memory_resize(options->symbol_dirs, count + 2,
					     sizeof(*options->symbol_dirs));
	options->symbol_dirs[count] = dir;
	options->symbol_dirs[count + 1] = NULL;
	return 0;
}

static int take_word(struct options *options, int option, const char *argument,
		     struct error *error)
{
	int word;

	switch (option) {
	case OPTION_BY:
		word = parse_word("--by", argument, by_words, error);
		options->growth.by = (enum group_by)word;
		break;
	case OPTION_SAMPLE:
		word = parse_word("--sample", argument, sample_words, error);
		options->growth.sample = (enum la_sample_type)word;
		break;
	case OPTION_SORT:
		word = parse_word("--sort", argument, sort_words, error);
		options->growth.sort = (enum sort_by)word;
		break;
	default:
		word = parse_word("--format", argument, format_words, error);
		options->format = (enum format)word;
		break;
	}
	return word < 0 ? -1 : 0;
}

static int take_value(struct options *options, int option,
		      const char *argument, struct error *error)
{
	switch (option) {
	case OPTION_KIND:
		return parse_kinds(options, argument, error);
	case OPTION_MIN:
		return parse_size("--min", argument, &options->growth.minimum,
				  error);
	case OPTION_FAIL_OVER:
		return parse_size("--fail-over", argument,
				  &options->fail_over, error);
	case OPTION_TOP:
		return parse_top(argument, &options->top, error);
	case OPTION_FOCUS:
		options->focus = argument;
		break;
	case OPTION_IGNORE:
		options->ignore = argument;
		break;
	case OPTION_SYMBOLS:
		return add_symbol_dir(options, argument, error);
	case OPTION_SYSROOT:
		options->sysroot = argument;
		return check_folder("--sysroot", argument, error);
	case OPTION_WRAPPERS:
		options->wrappers = argument;
		break;
	case 'o':
		options->output = argument;
		break;
	default:
		return take_word(options, option, argument, error);
	}
	return 0;
}

static void take_switch(struct options *options, int option)
{
	switch (option) {
	case OPTION_CUM:
		options->growth.cumulative = true;
		break;
	case OPTION_AS_GIVEN:
		options->series.as_given = true;
		break;
	case OPTION_FORCE:
		options->series.force = true;
		break;
	case OPTION_HELP:
		options->help = true;
		break;
	default:
		options->version = true;
		break;
	}
}

/* getopt tells a short option in optopt, a long one in the last argument. */
static int bad_option(int option, char **argv, struct error *error)
{
	const char *last = argv[optind - 1];
	char letter[3] = {'-', (char)optopt, '\0'};
	bool is_long = !strncmp(last, "--", 2) && (!optopt || optopt > 255);
	const char *name = is_long ? last : letter;

	if (option == ':')
		return error_set(error, "%s needs a value; see leakdiff --help",
				 name);
	if (is_long && strchr(name, '='))
		return error_set(error,
				 "bad option %s: unknown, or it takes no "
				 "value; see leakdiff --help",
				 name);
	return error_set(error, "unknown option %s; see leakdiff --help", name);
}

static int check(struct options *options, struct error *error)
{
	if (options->help || options->version)
		return 0;
	if (!options->input_count)
		return error_set(error, "which snapshots? leakdiff OLD NEW "
					"compares two; see leakdiff --help");
	if (options->top == OPTIONS_NONE && options->format == FORMAT_TEXT)
		options->top = DEFAULT_TEXT_ROWS;
	return 0;
}

static void set_defaults(struct options *options)
{
	memset(options, 0, sizeof(*options));
	options->growth.sample = LA_INUSE_SPACE;
	options->top = OPTIONS_NONE;
	options->fail_over = OPTIONS_NONE;
	for (enum kind kind = KIND_HEAP; kind < KINDS; kind++)
		options->growth.kinds[kind] = true;
}

int options_parse(struct options *options, int argc, char **argv,
		  struct error *error)
{
	int option;

	set_defaults(options);
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":o:h", long_options,
				     NULL)) != -1) {
		if (option == '?' || option == ':')
			return bad_option(option, argv, error);
		if (option == 'h')
			options->help = true;
		else if (!optarg)
			take_switch(options, option);
		else if (take_value(options, option, optarg, error))
			return -1;
		optarg = NULL;
	}
	options->inputs = argv + optind;
	options->input_count = (size_t)(argc - optind);
	return check(options, error);
}

void options_free(struct options *options)
{
	free(options->symbol_dirs);
	options->symbol_dirs = NULL;
}
