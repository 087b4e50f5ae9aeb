/*
 * .gnu_debugdata: a small ELF file, xz-compressed inside a stripped program,
 * whose symbol table names its static functions.
 */
#ifndef MINI_DEBUG_H
#define MINI_DEBUG_H

#include "diff/elf_file.h"

struct mini_debug {
	Elf *elf; /* NULL when there is none */
	unsigned char *bytes;
};

/* The section's absence, and any fault in it, leave *mini empty. */
void mini_debug_open(struct mini_debug *mini, const struct elf_file *file);
void mini_debug_close(struct mini_debug *mini);

#endif
