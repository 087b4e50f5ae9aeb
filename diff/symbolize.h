/*
 * From an address in a file to source: function, file, line, inlined frames.
 * Knows nothing of profiles. Finds debug information beside the binary, by
 * build id, by .gnu_debuglink, in the given folders, and through debuginfod
 * where that is configured (DEBUGINFOD_URLS).
 *
 * Everything returned belongs to the symbolizer and lives until it is freed.
 * One thread at a time.
 */
#ifndef SYMBOLIZE_H
#define SYMBOLIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbolizer_options {
	const char *const *symbol_dirs; /* --symbols, NULL-terminated, or NULL */
	const char *sysroot; /* --sysroot, or NULL: stands before paths of
				modules, and of the system's debug files */
};

/*
 * One source-level frame. Unknown parts are NULL or 0. Names are as the file
 * has them, kilobytes long at times, with whatever bytes: escape them.
 */
struct source_frame {
	const char *function; /* demangled, with parameters if known */
	const char *file;     /* absolute, unless the build made it relative */
	int line;
	bool inlined; /* into the frame that follows it */
};

/* What became of a module, for the notes that the report prints. */
enum module_state {
	MODULE_FULL,        /* debug information */
	MODULE_SYMBOLS,     /* symbol table only */
	MODULE_NO_SYMBOLS,  /* found, but nothing in it names functions */
	MODULE_NOT_FOUND,
	MODULE_OTHER_BUILD, /* found only with another build id: not used */
	MODULE_UNREADABLE   /* not a regular ELF file that we may read, or its
			       debug data is broken: then still its symbols */
};

struct symbolizer;
struct symbol_module;

/* Returns NULL when out of memory. The options are copied. */
struct symbolizer *symbolizer_new(const struct symbolizer_options *options);
void symbolizer_free(struct symbolizer *symbolizer);

/*
 * The module for a file as the snapshot names it; opened on first use, the
 * same pointer each time for the same (path, build id). build_id is lowercase
 * hex, or "" or NULL where unknown. Never NULL but when out of memory.
 */
struct symbol_module *symbolizer_module(struct symbolizer *symbolizer,
					const char *path, const char *build_id);

enum module_state symbol_module_state(struct symbol_module *module);

/*
 * Frames at `offset` bytes into the module's file (an offset in the file, not
 * a virtual address), innermost first: inlined functions, then the function
 * that holds them. The last one is never `inlined`. Returns how many (0 =
 * nothing known) and sets *frames to them.
 */
size_t symbolize(struct symbol_module *module, uint64_t offset,
		 const struct source_frame **frames);

#endif
