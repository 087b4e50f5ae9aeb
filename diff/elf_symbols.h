/*
 * Function names from symbol tables: only where an address lies within a
 * symbol's size, never the nearest one. One thread at a time.
 */
#ifndef ELF_SYMBOLS_H
#define ELF_SYMBOLS_H

#include "diff/elf_file.h"
#include "diff/symbol_arena.h"

struct elf_symbols;

/*
 * Reads the functions of up to two files of one build, the program and its
 * debug file; either may be NULL. The files outlive the table. Returns NULL
 * when out of memory.
 */
struct elf_symbols *elf_symbols_new(const struct elf_file *image,
				    const struct elf_file *debug);
void elf_symbols_free(struct elf_symbols *symbols);

/* How many functions there are. */
size_t elf_symbols_count(const struct elf_symbols *symbols);

struct elf_symbol_name {
	const char *text; /* source-level, in the arena or the file */
	bool demangled;
};

/* Returns false when no function's size holds the virtual address. */
bool elf_symbols_find(struct elf_symbols *symbols, struct symbol_arena *arena,
		      uint64_t address, struct elf_symbol_name *name);

#endif
