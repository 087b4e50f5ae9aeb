/*
 * Debug information that lies in a file of its own: a unit's .dwo
 * (-gsplit-dwarf), and the file that several share (dwz). libdw opens what the
 * debug data names; here is what keeps it from opening something that is no
 * regular file.
 */
#ifndef DWARF_SPLIT_H
#define DWARF_SPLIT_H

#include "diff/elf_file.h"

/*
 * Sets *tree to the DIE that holds the functions of a unit: the unit's own,
 * or the split unit's where it can be found.
 */
void dwarf_split_tree(const struct elf_file *file, Dwarf_Die *unit,
		      Dwarf_Die *tree);

/* Whether libdw may look for the shared file that the debug data names. */
bool dwarf_split_may_share(const struct elf_file *file);

#endif
