/*
 * libdw reads DWARF; here is what makes 100,000 look-ups cheap: a map from
 * addresses to units, and remembered paths. The map is made from
 * the units themselves, as clang writes no .debug_aranges.
 */
#include "diff/dwarf_source.h"

#include "diff/address_map.h"
#include "diff/dwarf_names.h"
#include "diff/dwarf_scopes.h"
#include "diff/dwarf_split.h"
#include "diff/source_path.h"
#include "diff/word_map.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A range takes at least this many bytes of the file. */
#define BYTES_PER_RANGE 3

struct unit {
	Dwarf_Die die;  /* has the lines */
	Dwarf_Die tree; /* has the functions: `die`, or the split unit's */
	struct dwarf_scopes scopes;
	bool scopes_read; /* and `tree` is set */
};

struct dwarf_source {
	const struct elf_file *file;
	Dwarf *dwarf;
	Dwarf *alternate; /* shared by several programs' debug files, or NULL */
	struct symbol_arena *arena;
	size_t budget; /* ranges of functions that the file can still hold */
	struct unit *units;
	size_t count;
	size_t capacity;
	struct address_map map; /* address to index of unit */
	struct word_map units_by_cu; /* to index + 1 */
	struct dwarf_names names;
	struct word_map paths; /* file name, which libdw owns, to path */
};

static int add_unit(struct dwarf_source *source, const Dwarf_Die *die)
{
	if (source->count == source->capacity) {
		size_t capacity = source->capacity ? source->capacity * 2 : 64;
		struct unit *units = reallocarray(source->units, capacity,
						  sizeof(*units));

		if (!units)
			return -ENOMEM;
		source->units = units;
		source->capacity = capacity;
	}
	source->units[source->count++] = (struct unit){ .die = *die };
	return word_map_add(&source->units_by_cu, (uintptr_t)die->cu,
			    (void *)(uintptr_t)source->count);
}

static int add_unit_ranges(struct dwarf_source *source, Dwarf_Die *die,
			   size_t *budget)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t next = 0;

	while (*budget && (next = dwarf_ranges(die, next, &base, &low,
					       &high)) > 0) {
		--*budget;
		if (low && address_map_add(&source->map, (struct address_range){
				   .low = low,
				   .high = high,
				   .value = (uint32_t)source->count - 1 }))
			return -ENOMEM;
	}
	return 0;
}

/* Returns 0, -EBADMSG when no unit can be read, or -ENOMEM. */
static int read_units(struct dwarf_source *source)
{
	size_t budget = source->budget;
	Dwarf_CU *unit = NULL;
	Dwarf_Die die;
	int result;

	while (!(result = dwarf_get_units(source->dwarf, unit, &unit, NULL,
					  NULL, &die, NULL))) {
		int tag = dwarf_tag(&die);

		if (tag != DW_TAG_compile_unit && tag != DW_TAG_skeleton_unit &&
		    tag != DW_TAG_partial_unit)
			continue;
		if (add_unit(source, &die) ||
		    add_unit_ranges(source, &die, &budget))
			return -ENOMEM;
	}
	if (result < 0 && !source->count)
		return -EBADMSG;
	return address_map_build(&source->map);
}

static struct dwarf_scopes *scopes_of(struct dwarf_source *source,
				      struct unit *unit)
{
	if (!unit->scopes_read) {
		unit->scopes_read = true;
		dwarf_split_tree(source->file, &unit->die, &unit->tree);
		if (dwarf_scopes_read(&unit->scopes, &unit->tree,
				      &source->budget))
			dwarf_scopes_free(&unit->scopes);
	}
	return &unit->scopes;
}

static struct dwarf_scopes *scopes_of_cu(void *opaque, Dwarf_CU *cu)
{
	struct dwarf_source *source = opaque;
	uintptr_t found = (uintptr_t)word_map_get(&source->units_by_cu,
						  (uintptr_t)cu);

	return found ? scopes_of(source, &source->units[found - 1]) : NULL;
}

static int begin(struct dwarf_source *source, const struct elf_file *alternate)
{
	if (!alternate && !dwarf_split_may_share(source->file))
		return -EBADMSG;
	source->dwarf = dwarf_begin_elf(source->file->elf, DWARF_C_READ, NULL);
	if (!source->dwarf)
		return -EBADMSG;
	if (alternate)
		source->alternate = dwarf_begin_elf(alternate->elf,
						    DWARF_C_READ, NULL);
	if (source->alternate)
		dwarf_setalt(source->dwarf, source->alternate);
	return read_units(source);
}

int dwarf_source_open(struct dwarf_source **out, const struct elf_file *file,
		      const struct elf_file *alternate,
		      struct symbol_arena *arena)
{
	struct dwarf_source *source;
	int error;

	if (!file->has_dwarf)
		return -ENODATA;
	source = calloc(1, sizeof(*source));
	if (!source)
		return -ENOMEM;
	source->file = file;
	source->arena = arena;
	source->names = (struct dwarf_names){
		.arena = arena, .find_scopes = scopes_of_cu, .opaque = source
	};
	source->budget = file->size / BYTES_PER_RANGE;
	error = begin(source, alternate);
	if (error) {
		dwarf_source_close(source);
		return error;
	}
	*out = source;
	return 0;
}

void dwarf_source_close(struct dwarf_source *source)
{
	if (!source)
		return;
	for (size_t i = 0; i < source->count; i++)
		dwarf_scopes_free(&source->units[i].scopes);
	free(source->units);
	address_map_free(&source->map);
	word_map_free(&source->units_by_cu);
	dwarf_names_free(&source->names);
	word_map_free(&source->paths);
	dwarf_end(source->dwarf);
	dwarf_end(source->alternate);
	free(source);
}

static struct unit *find_unit(struct dwarf_source *source, uint64_t address)
{
	uint32_t index;

	if (!address_map_find(&source->map, address, &index))
		return NULL;
	return &source->units[index];
}

/* Absolute and tidy, for a file name from a unit's file table. */
static const char *path_of(struct dwarf_source *source, struct unit *unit,
			   const char *name)
{
	const char *path;
	Dwarf_Attribute attribute;

	if (!name)
		return NULL;
	path = word_map_get(&source->paths, (uintptr_t)name);
	if (path)
		return path;
	path = source_path(source->arena,
			   dwarf_formstring(dwarf_attr(&unit->die,
						       DW_AT_comp_dir,
						       &attribute)),
			   name);
	if (path)
		word_map_add(&source->paths, (uintptr_t)name, (void *)path);
	return path;
}

static void set_line(struct dwarf_source *source, struct unit *unit,
		     uint64_t address, struct source_frame *frame)
{
	Dwarf_Line *line = dwarf_getsrc_die(&unit->die, address);

	if (!line)
		return;
	if (dwarf_lineno(line, &frame->line))
		frame->line = 0;
	frame->file = path_of(source, unit, dwarf_linesrc(line, NULL, NULL));
}

/* Where an inlined function was called, which is a line of its holder. */
static void set_call(struct dwarf_source *source, struct unit *unit,
		     Dwarf_Die *inlined, struct source_frame *holder)
{
	Dwarf_Attribute attribute;
	Dwarf_Word line, index;
	Dwarf_Files *files;
	size_t count;

	if (!dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute),
			     &line) && line <= INT32_MAX)
		holder->line = (int)line;
	if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute),
			    &index) ||
	    dwarf_getsrcfiles(&unit->tree, &files, &count) || index >= count)
		return;
	holder->file = path_of(source, unit,
			       dwarf_filesrc(files, index, NULL, NULL));
}

size_t dwarf_source_find(struct dwarf_source *source, uint64_t address,
			 struct source_frame *frames, bool *complete)
{
	struct unit *unit = find_unit(source, address);
	struct dwarf_scope *scope;
	size_t count = 0;

	*complete = false;
	if (!unit)
		return 0;
	frames[0] = (struct source_frame){ 0 };
	set_line(source, unit, address, &frames[0]);
	scope = dwarf_scopes_find(scopes_of(source, unit), address);
	if (!scope)
		return frames[0].file ? 1 : 0;
	for (;;) {
		struct source_frame *frame = &frames[count++];

		frame->function = dwarf_names_of(&source->names,
						 &unit->scopes, scope);
		*complete = scope->complete;
		if (!scope->inlined || scope->parent == NO_SCOPE ||
		    count == DWARF_MAX_FRAMES)
			break;
		frame->inlined = true;
		frames[count] = (struct source_frame){ 0 };
		set_call(source, unit, &scope->die, &frames[count]);
		scope = &unit->scopes.all[scope->parent];
	}
	return count;
}
