/*
 * The libraries of the test programs, for unit tests: where they are, and what
 * they have. (The Makefile says which test needs which.)
 */
#ifndef TESTS_PROGRAM_LIBRARIES_H
#define TESTS_PROGRAM_LIBRARIES_H

#include "tests/support/agent_check.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static inline void find_library(const char *name, char path[PATH_MAX])
{
	char own[PATH_MAX] = "";

	/* build/tests/unit/NAME_test -> build/tests/programs/... */
	assert_true(readlink("/proc/self/exe", own, sizeof(own) - 1) > 0);
	*strrchr(own, '/') = '\0';
	*strrchr(own, '/') = '\0';
	snprintf(path, PATH_MAX, "%.*s/programs/%s", PATH_MAX - 64, own, name);
}

/* Loads it, for good. */
static inline void *symbol_of_library(const char *path, const char *name)
{
	void *library = dlopen(path, RTLD_NOW), *symbol;

	if (!library)
		fail_msg("%s", dlerror());
	symbol = dlsym(library, name);
	assert_non_null(symbol);
	return symbol;
}

#endif
