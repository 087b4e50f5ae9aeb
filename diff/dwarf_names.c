/* Linkage names are demangled once for all the places they occur in. */
#define _GNU_SOURCE /* mempcpy */
#include "diff/dwarf_names.h"

#include "diff/demangle.h"

#include <dwarf.h>
#include <string.h>

/* Namespaces and classes within one another; more are left out. */
#define DEEPEST_NAME 64
#define LONGEST_NAME ((size_t)16 * 1024)

static const char *text_of(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attribute;

	return dwarf_formstring(dwarf_attr_integrate(die, name, &attribute));
}

/* Returns NULL when the name is not mangled. */
static const char *demangled(struct dwarf_names *names, const char *linkage)
{
	static const char none[] = "";
	const char *name = word_map_get(&names->demangled, (uintptr_t)linkage);

	if (!name) {
		name = demangle(names->arena, linkage);
		if (!name)
			name = none;
		/* Without memory it is found out again the next time. */
		word_map_add(&names->demangled, (uintptr_t)linkage,
			     (void *)(uintptr_t)name);
	}
	return name == none ? NULL : name;
}

static const char *linkage_name(struct dwarf_names *names, Dwarf_Die *die)
{
	const char *linkage = text_of(die, DW_AT_linkage_name);

	if (!linkage)
		linkage = text_of(die, DW_AT_MIPS_linkage_name);
	return linkage ? demangled(names, linkage) : NULL;
}

/* Goes from a function's code to its declaration; false when it is there. */
static bool step_to_declaration(Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	Dwarf_Die next;

	if (!dwarf_attr(die, DW_AT_abstract_origin, &attribute) &&
	    !dwarf_attr(die, DW_AT_specification, &attribute))
		return false;
	if (!dwarf_formref_die(&attribute, &next))
		return false;
	*die = next;
	return true;
}

/*
 * The context that a function is declared in, and *scopes that hold it: those
 * of the function or of another unit.
 */
static uint32_t context_of(struct dwarf_names *names,
			   struct dwarf_scopes **scopes, Dwarf_Die die)
{
	/* Inlined code, its abstract function, the declaration in a class. */
	int steps = 4;
	Dwarf_CU *unit = die.cu;

	do {
		uint32_t context;

		if (die.cu != unit) {
			unit = die.cu;
			*scopes = names->find_scopes(names->opaque, unit);
			if (!*scopes)
				break;
		}
		context = dwarf_scopes_context(*scopes, &die);
		if (context != NO_SCOPE)
			return context;
	} while (--steps && step_to_declaration(&die));
	return NO_SCOPE;
}

/*
 * What to call the context that `member` is declared in. Sets *last when that
 * tells about the contexts further out as well.
 */
static const char *context_name(struct dwarf_names *names, Dwarf_Die *die,
				const char *member, bool *last)
{
	const char *name;

	*last = false;
	if (dwarf_tag(die) == DW_TAG_subprogram) {
		name = linkage_name(names, die);
		*last = name;
		if (name)
			return name;
	}
	name = text_of(die, DW_AT_name);
	if (name)
		return name;
	if (dwarf_tag(die) == DW_TAG_namespace)
		return "(anonymous namespace)";
	/* gcc gives lambdas no name; a class of one's own seldom lacks one. */
	return !strncmp(member, "operator()", 10) ? "{lambda}" : "(anonymous)";
}

/* The parts, the innermost first, joined by "::". */
static const char *join(struct symbol_arena *arena, const char **parts,
			size_t count)
{
	size_t length = 0;
	char *name;
	char *at;

	for (size_t i = 0; i < count; i++)
		length += strlen(parts[i]) + 2;
	if (length > LONGEST_NAME)
		return parts[0];
	at = name = symbol_arena_alloc(arena, length);
	if (!name)
		return NULL;
	while (count--) {
		at = mempcpy(at, parts[count], strlen(parts[count]));
		at = mempcpy(at, "::", count ? 2 : 0);
	}
	*at = '\0';
	return name;
}

static const char *qualified(struct dwarf_names *names,
			     struct dwarf_scopes *scopes, Dwarf_Die *die)
{
	const char *parts[DEEPEST_NAME] = { text_of(die, DW_AT_name) };
	uint32_t context;
	bool last = false;
	size_t count = 1;

	if (!parts[0])
		return NULL;
	context = context_of(names, &scopes, *die);
	if (context == NO_SCOPE)
		return parts[0];
	while (context != NO_SCOPE && count < DEEPEST_NAME && !last) {
		struct dwarf_context *found = &scopes->contexts[context];

		parts[count] = context_name(names, &found->die,
					    parts[count - 1], &last);
		count++;
		context = found->parent;
	}
	return join(names->arena, parts, count);
}

const char *dwarf_names_of(struct dwarf_names *names,
			   struct dwarf_scopes *scopes,
			   struct dwarf_scope *scope)
{
	if (scope->named)
		return scope->name;
	scope->named = true;
	scope->name = linkage_name(names, &scope->die);
	scope->complete = scope->name;
	if (!scope->name)
		scope->name = qualified(names, scopes, &scope->die);
	return scope->name;
}

void dwarf_names_free(struct dwarf_names *names)
{
	word_map_free(&names->demangled);
}
