/*
 * A walk over the tree with a stack of its own, since depth is the file's
 * choice. libdw sees to it that children and siblings only lead forward.
 */
#include "diff/dwarf_scopes.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

/* Deeper trees are cut off; compilers' trees are some 50 deep at most. */
#define DEEPEST_TREE 1024

struct level {
	Dwarf_Die die;
	uint32_t scope; /* that the DIE lies in */
	uint32_t depth; /* of that scope; 0 = none */
};

struct walk {
	struct dwarf_scopes *scopes;
	size_t budget;
	struct level levels[DEEPEST_TREE];
};

static int add_scope(struct dwarf_scopes *scopes, const struct level *level,
		     bool inlined)
{
	if (scopes->count == scopes->capacity) {
		size_t capacity = scopes->capacity ? scopes->capacity * 2 : 64;
		struct dwarf_scope *all = reallocarray(scopes->all, capacity,
						       sizeof(*all));

		if (!all)
			return -ENOMEM;
		scopes->all = all;
		scopes->capacity = capacity;
	}
	scopes->all[scopes->count++] = (struct dwarf_scope){
		.die = level->die,
		.parent = inlined ? level->scope : NO_SCOPE,
		.inlined = inlined,
	};
	return 0;
}

/*
 * Adds a function's ranges, if it has any; the scope then is the last one.
 * Code that the linker dropped starts at 0 or ends before it starts.
 */
static int add_ranges(struct walk *walk, struct level *level, bool inlined)
{
	struct dwarf_scopes *scopes = walk->scopes;
	Dwarf_Addr base, low, high;
	ptrdiff_t next = 0;
	bool any = false;

	while (walk->budget &&
	       (next = dwarf_ranges(&level->die, next, &base, &low, &high)) > 0) {
		walk->budget--;
		if (!low || low >= high)
			continue;
		if (!any && add_scope(scopes, level, inlined))
			return -ENOMEM;
		any = true;
		if (address_map_add(&scopes->map, (struct address_range){
			    .low = low,
			    .high = high,
			    .depth = level->depth + 1,
			    .value = (uint32_t)scopes->count - 1 }))
			return -ENOMEM;
	}
	return any;
}

/*
 * Takes in one DIE and sets *inside to the level of its children, but for
 * their DIE. Returns whether they can hold code, or -ENOMEM.
 */
static int visit(struct walk *walk, struct level *level, struct level *inside)
{
	bool inlined = false;
	int found;

	inside->scope = level->scope;
	inside->depth = level->depth;
	switch (dwarf_tag(&level->die)) {
	case DW_TAG_inlined_subroutine:
		inlined = true;
		break;
	case DW_TAG_subprogram:
		/* A function within a function is not inlined into it. */
		inside->scope = NO_SCOPE;
		inside->depth = 0;
		break;
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
		return 1;
	default:
		return 0;
	}
	found = add_ranges(walk, level, inlined);
	if (found > 0) {
		inside->scope = (uint32_t)walk->scopes->count - 1;
		inside->depth = level->depth + 1;
	}
	return found < 0 ? found : 1;
}

static int walk_tree(struct walk *walk, Dwarf_Die *unit)
{
	struct level *levels = walk->levels;
	size_t top = 0;

	levels[0].scope = NO_SCOPE;
	levels[0].depth = 0;
	if (dwarf_child(unit, &levels[0].die))
		return 0;
	while (walk->budget) {
		struct level inside;
		int holds_code = visit(walk, &levels[top], &inside);

		if (holds_code < 0)
			return holds_code;
		if (holds_code && top + 1 < DEEPEST_TREE &&
		    !dwarf_child(&levels[top].die, &inside.die)) {
			levels[++top] = inside;
			continue;
		}
		while (dwarf_siblingof(&levels[top].die, &levels[top].die)) {
			if (!top--)
				return 0;
		}
	}
	return 0;
}

int dwarf_scopes_read(struct dwarf_scopes *scopes, Dwarf_Die *unit,
		      size_t budget)
{
	struct walk *walk = malloc(sizeof(*walk));
	int error;

	if (!walk)
		return -ENOMEM;
	walk->scopes = scopes;
	walk->budget = budget;
	error = walk_tree(walk, unit);
	free(walk);
	return error ? error : address_map_build(&scopes->map);
}

struct dwarf_scope *dwarf_scopes_find(struct dwarf_scopes *scopes,
				      uint64_t address)
{
	uint32_t index;

	if (!address_map_find(&scopes->map, address, &index))
		return NULL;
	return &scopes->all[index];
}

void dwarf_scopes_free(struct dwarf_scopes *scopes)
{
	address_map_free(&scopes->map);
	free(scopes->all);
	*scopes = (struct dwarf_scopes){ 0 };
}
