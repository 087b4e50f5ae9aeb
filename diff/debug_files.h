/*
 * Finds the program and its debug information on disk, for a module as the
 * snapshot names it, and takes nothing that belongs to another build.
 */
#ifndef DEBUG_FILES_H
#define DEBUG_FILES_H

#include "diff/elf_file.h"
#include "diff/symbolize.h"

/* Each may be NULL, and the first two may be the same. */
struct debug_files {
	struct elf_file *image; /* has the program's own program headers */
	struct elf_file *debug; /* has the best symbols there are */
	struct elf_file *alternate; /* has what `debug` shares with others' */
};

/*
 * Returns MODULE_FULL when anything was found (what it holds is for the
 * caller to see), else MODULE_NOT_FOUND, MODULE_OTHER_BUILD or
 * MODULE_UNREADABLE. The caller releases `files` in every case.
 */
enum module_state debug_files_find(struct debug_files *files,
				   const struct symbolizer_options *options,
				   const char *path, const char *build_id);

/* Once whoever reads the files has begun to: keeps them, and closes them. */
void debug_files_release_fds(struct debug_files *files);
void debug_files_release(struct debug_files *files);

#endif
