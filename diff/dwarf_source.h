/*
 * Debug information of one file: from a virtual address to functions, files
 * and lines. Units are found at once, each one's functions and lines when an
 * address first falls into it. One thread at a time.
 */
#ifndef DWARF_SOURCE_H
#define DWARF_SOURCE_H

#include "diff/elf_file.h"
#include "diff/symbol_arena.h"
#include "diff/symbolize.h"

struct dwarf_source;

/*
 * `alternate` is the file that dwz moved shared parts to, or NULL. All
 * arguments outlive the source. Returns 0; -ENODATA when the file has no
 * debug information, -EBADMSG when that is broken, -ENOMEM.
 */
int dwarf_source_open(struct dwarf_source **source,
		      const struct elf_file *file,
		      const struct elf_file *alternate,
		      struct symbol_arena *arena);
void dwarf_source_close(struct dwarf_source *source);

/* More functions than this, inlined into one another, lose the outermost. */
#define DWARF_MAX_FRAMES 256

/*
 * Fills frames[DWARF_MAX_FRAMES], innermost first, and returns how many. With
 * lines but no function there is one frame without function. *complete tells
 * whether the last function's name is a whole one, with its scope and
 * parameters where the language has these.
 */
size_t dwarf_source_find(struct dwarf_source *source, uint64_t address,
			 struct source_frame *frames, bool *complete);

#endif
