/*
 * The functions of one compilation unit and what was inlined into them: which
 * is the innermost at an address, and what holds it. Reads the unit's tree
 * once; names are the caller's business.
 */
#ifndef DWARF_SCOPES_H
#define DWARF_SCOPES_H

#include "diff/address_map.h"
#include "diff/word_map.h"

#include <elfutils/libdw.h>

#define NO_SCOPE UINT32_MAX /* nor context */

/* A function's code, or that of a function inlined into another. */
struct dwarf_scope {
	Dwarf_Die die;
	uint32_t parent; /* index of the scope that an inlined one lies in */
	bool inlined;
	bool named;         /* the two below are set; for the caller */
	bool complete;      /* made from a mangled name */
	const char *name;
};

/* A namespace, class or function that functions are declared in. */
struct dwarf_context {
	Dwarf_Die die;
	uint32_t parent; /* index of the context that this one lies in */
};

/* All zero is an empty one. */
struct dwarf_scopes {
	struct dwarf_scope *all;
	size_t count;
	size_t capacity;
	struct address_map map;

	struct dwarf_context *contexts;
	size_t context_count;
	size_t context_capacity;
	struct word_map declared; /* address of DIE to index of context + 1 */
};

/*
 * Reads the tree under a unit's DIE. What is broken in it is left out, and so
 * is what exceeds *budget, the number of ranges that an honest file of this
 * size can still hold. Returns 0 or -ENOMEM.
 */
int dwarf_scopes_read(struct dwarf_scopes *scopes, Dwarf_Die *unit,
		      size_t *budget);

/* The innermost scope at a virtual address, or NULL. */
struct dwarf_scope *dwarf_scopes_find(struct dwarf_scopes *scopes,
				      uint64_t address);

/*
 * Where a function is declared whose debug information has no linkage name
 * (lambdas and anonymous namespaces, in gcc's): the index of the context, or
 * NO_SCOPE when it is declared in none.
 */
uint32_t dwarf_scopes_context(const struct dwarf_scopes *scopes,
			      const Dwarf_Die *function);

void dwarf_scopes_free(struct dwarf_scopes *scopes);

#endif
