/*
 * The last component of a path: what comes after its last slash. A path that
 * ends in one is its own.
 */
#ifndef DIFF_BASE_NAME_H
#define DIFF_BASE_NAME_H

#include <string.h>

static inline const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

#endif
