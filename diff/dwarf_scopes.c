/*
 * A walk over the tree with a stack of its own, since depth is the file's
 * choice. libdw sees to it that children and siblings only lead forward.
 */
#include "diff/dwarf_scopes.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

/* Deeper trees are cut off; compilers' trees are some 50 deep at most. */
#define DEEPEST_TREE 256

struct level {
	Dwarf_Die die;
	uint32_t scope; /* that the DIE lies in */
	uint32_t depth; /* of that scope; 0 = none */
	uint32_t context; /* that `die` is, once something was declared in it */
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

static int reserve_context(struct dwarf_scopes *scopes)
{
	size_t capacity =
		scopes->context_capacity ? scopes->context_capacity * 2 : 16;
	struct dwarf_context *contexts;

	if (scopes->context_count < scopes->context_capacity)
		return 0;
	contexts = reallocarray(scopes->contexts, capacity, sizeof(*contexts));
	if (!contexts)
		return -ENOMEM;
	scopes->contexts = contexts;
	scopes->context_capacity = capacity;
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

	while (walk->budget && (next = dwarf_ranges(&level->die, next, &base,
						    &low, &high)) > 0) {
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

static bool is_declarative(Dwarf_Die *die)
{
	switch (dwarf_tag(die)) {
	case DW_TAG_namespace:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
		return true;
	default:
		return false;
	}
}

/*
 * The index of levels[top] as a context, made on first use since most classes
 * never need one. Sets *index to NO_SCOPE for the unit itself.
 */
static int context_of(struct walk *walk, size_t top, uint32_t *index)
{
	struct dwarf_scopes *scopes = walk->scopes;
	uint32_t parent = NO_SCOPE;

	for (size_t i = 0; i <= top; i++) {
		struct level *level = &walk->levels[i];

		if (!is_declarative(&level->die) &&
		    dwarf_tag(&level->die) != DW_TAG_subprogram)
			continue;
		if (level->context == NO_SCOPE) {
			if (reserve_context(scopes))
				return -ENOMEM;
			scopes->contexts[scopes->context_count] =
				(struct dwarf_context){ level->die, parent };
			level->context = (uint32_t)scopes->context_count++;
		}
		parent = level->context;
	}
	*index = parent;
	return 0;
}

/* Remembers where levels[top] is declared if its own data do not tell. */
static int note_declaration(struct walk *walk, size_t top)
{
	Dwarf_Die *die = &walk->levels[top].die;
	uint32_t context;

	if (!top || !is_declarative(&walk->levels[top - 1].die) ||
	    dwarf_hasattr(die, DW_AT_linkage_name) ||
	    dwarf_hasattr(die, DW_AT_MIPS_linkage_name) ||
	    dwarf_hasattr(die, DW_AT_specification) ||
	    dwarf_hasattr(die, DW_AT_abstract_origin))
		return 0;
	if (context_of(walk, top - 1, &context))
		return -ENOMEM;
	return word_map_add(&walk->scopes->declared, (uintptr_t)die->addr,
			    (void *)((uintptr_t)context + 1));
}

/*
 * Takes in levels[top] and sets *inside to the level of its children, but for
 * their DIE. Returns whether they can hold code, or -ENOMEM.
 */
static int visit(struct walk *walk, size_t top, struct level *inside)
{
	struct level *level = &walk->levels[top];
	bool inlined = false;
	int found;

	level->context = NO_SCOPE;
	inside->scope = level->scope;
	inside->depth = level->depth;
	switch (dwarf_tag(&level->die)) {
	case DW_TAG_inlined_subroutine:
		inlined = true;
		break;
	case DW_TAG_subprogram:
		if (note_declaration(walk, top))
			return -ENOMEM;
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
		int holds_code = visit(walk, top, &inside);

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
		      size_t *budget)
{
	struct walk *walk = malloc(sizeof(*walk));
	int error;

	if (!walk)
		return -ENOMEM;
	walk->scopes = scopes;
	walk->budget = *budget;
	error = walk_tree(walk, unit);
	*budget = walk->budget;
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

uint32_t dwarf_scopes_context(const struct dwarf_scopes *scopes,
			      const Dwarf_Die *function)
{
	uintptr_t found = (uintptr_t)word_map_get(&scopes->declared,
						  (uintptr_t)function->addr);

	return found ? (uint32_t)(found - 1) : NO_SCOPE;
}

void dwarf_scopes_free(struct dwarf_scopes *scopes)
{
	word_map_free(&scopes->declared);
	free(scopes->contexts);
	address_map_free(&scopes->map);
	free(scopes->all);
	*scopes = (struct dwarf_scopes){ 0 };
}
