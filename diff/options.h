/*
 * The command line. `leakdiff --help` (usage.c) is its manual.
 */
#ifndef DIFF_OPTIONS_H
#define DIFF_OPTIONS_H

#include "diff/growth.h"

enum format {
	FORMAT_TEXT,
	FORMAT_JSON,
	FORMAT_CSV,
	FORMAT_FOLDED,
	FORMAT_PPROF
};

#define OPTIONS_NONE INT64_C(-1)

struct options {
	struct growth_options growth; /* but for `focus` */
	struct series_options series;
	enum format format;
	int64_t top;       /* rows of each kind, OPTIONS_NONE = all */
	int64_t fail_over; /* OPTIONS_NONE = not asked for */
	const char *output; /* NULL = standard output */
	const char *focus, *ignore, *wrappers, *sysroot; /* NULL = not given */
	const char **symbol_dirs; /* NULL-terminated */
	char *const *inputs;
	size_t input_count;
	bool help, version; /* asked for: nothing else counts */
};

/*
 * Returns 0 or -1. Strings are those of argv, whose order changes. Lives until
 * options_free.
 */
int options_parse(struct options *options, int argc, char **argv,
		  struct error *error);

void options_free(struct options *options);

/* What --help prints. */
extern const char usage_text[];

#endif
