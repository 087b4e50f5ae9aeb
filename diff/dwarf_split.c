/* Which paths libdw is going to try, and whether it may. */
#define _GNU_SOURCE /* vasprintf */
#include "diff/dwarf_split.h"

#include <dwarf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether `name`, as seen from `directory`, is absent or an ELF file. */
static bool is_safe(const char *directory, const char *name)
{
	char *path;
	bool safe;

	if (*name == '/')
		return elf_file_may_open(name);
	if (asprintf(&path, "%s/%s", directory, name) < 0)
		return false;
	safe = elf_file_may_open(path);
	free(path);
	return safe;
}

/* The folder that libdw starts from: where the file is behind any links. */
static char *folder_of(const struct elf_file *file)
{
	char *folder = realpath(file->path, NULL);

	if (folder)
		*strrchr(folder, '/') = '\0';
	return folder;
}

static const char *text_of(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attribute;

	return dwarf_formstring(dwarf_attr(die, name, &attribute));
}

static bool may_split(const struct elf_file *file, Dwarf_Die *unit)
{
	const char *name = text_of(unit, DW_AT_dwo_name);
	const char *compiled_in = text_of(unit, DW_AT_comp_dir);
	char *folder;
	char *from;
	bool safe;

	if (!name)
		name = text_of(unit, DW_AT_GNU_dwo_name);
	folder = name ? folder_of(file) : NULL;
	if (!folder)
		return false;
	safe = is_safe(folder, name);
	if (safe && compiled_in && *compiled_in == '/') {
		safe = is_safe(compiled_in, name);
	} else if (safe && compiled_in) {
		safe = asprintf(&from, "%s/%s", folder, compiled_in) >= 0;
		if (safe) {
			safe = is_safe(from, name);
			free(from);
		}
	}
	free(folder);
	return safe;
}

void dwarf_split_tree(const struct elf_file *file, Dwarf_Die *unit,
		      Dwarf_Die *tree)
{
	Dwarf_Die split;
	uint8_t type;

	*tree = *unit;
	if (dwarf_cu_info(unit->cu, NULL, &type, NULL, NULL, NULL, NULL,
			  NULL) || type != DW_UT_skeleton)
		return;
	if (may_split(file, unit) &&
	    !dwarf_cu_info(unit->cu, NULL, NULL, NULL, &split, NULL, NULL,
			   NULL) && split.addr)
		*tree = split;
}

bool dwarf_split_may_share(const struct elf_file *file)
{
	char build_id[BUILD_ID_TEXT];
	const char *name = elf_file_alternate(file, build_id);
	char *folder;
	bool safe;

	if (!name)
		return true;
	folder = folder_of(file);
	safe = folder && is_safe(folder, name);
	free(folder);
	return safe;
}
