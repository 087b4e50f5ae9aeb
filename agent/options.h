/*
 * The agent's options: defaults, then the ini file, then the environment.
 * conf/leakagent.ini tells what each of them means. Read once, at boot, since
 * hosts overwrite their environment; constant afterwards.
 */
#ifndef LA_OPTIONS_H
#define LA_OPTIONS_H

#include "agent/values.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct la_options {
	char dir[PATH_MAX]; /* "" = the working directory */
	uint64_t interval;  /* ns, 0 = off */
	uint64_t start;     /* ns */
	int signal;         /* 0 = off */
	uint64_t growth;    /* bytes, 0 = off */
	enum la_exit exit;
	uint64_t keep;      /* files, 0 = all */
	uint64_t dir_limit; /* bytes, 0 = none */
	uint64_t depth;     /* frames */
	char only[1024];    /* comma-separated names, "" = all */
	bool children;
	uint64_t sample;    /* bytes, 0 = everything */
	uint64_t seed;      /* 0 = another one each time */
	struct la_amount memory; /* 0 bytes and 0 percent = no limit */
	bool verify;
};

/*
 * Fills *options. Tells stderr, a line each, of what it did not understand and
 * goes on with the default. `environment` may be NULL.
 */
void la_options_read(struct la_options *options, char *const *environment);

/* Whether `only` admits a program of this name. */
bool la_options_admit(const struct la_options *options, const char *command);

#endif
