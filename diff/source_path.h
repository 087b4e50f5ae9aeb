/* Paths of source files as compilers record them, made fit to read. */
#ifndef SOURCE_PATH_H
#define SOURCE_PATH_H

#include "diff/symbol_arena.h"

/*
 * The absolute path of `name` as seen from `directory` (NULL where unknown:
 * then a relative name stays one), without "//", "/./" and "/x/../". What
 * exceeds PATH_MAX is left as it is. Belongs to the arena or is `name` itself;
 * NULL when out of memory. Looks at no file system, so
 * ".." behind a symbolic link comes out as the reader of the path would
 * take it, not as the kernel would.
 */
const char *source_path(struct symbol_arena *arena, const char *directory,
			const char *name);

#endif
