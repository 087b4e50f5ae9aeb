/*
 * What the functions in debug information are called: the demangled linkage
 * name where there is one, else the name with the namespaces and classes that
 * it is declared in. One thread at a time.
 */
#ifndef DWARF_NAMES_H
#define DWARF_NAMES_H

#include "diff/dwarf_scopes.h"
#include "diff/symbol_arena.h"
#include "diff/word_map.h"

/* The first three are for the user to set, the rest starts as zero. */
struct dwarf_names {
	struct symbol_arena *arena;
	/*
	 * The scopes of another unit, as link-time optimisation leaves
	 * declarations there, or NULL.
	 */
	struct dwarf_scopes *(*find_scopes)(void *opaque, Dwarf_CU *unit);
	void *opaque;
	struct word_map demangled; /* mangled name, which libdw owns, to name */
};

/*
 * The name of one of the scopes, or NULL when it has none; remembered in the
 * scope. scope->complete tells whether parameters are part of it where the
 * language has these.
 */
const char *dwarf_names_of(struct dwarf_names *names,
			   struct dwarf_scopes *scopes,
			   struct dwarf_scope *scope);

void dwarf_names_free(struct dwarf_names *names);

#endif
