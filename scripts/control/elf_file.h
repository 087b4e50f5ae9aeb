/* What an ELF file says of itself, as far as starting it goes. */
#ifndef CONTROL_ELF_FILE_H
#define CONTROL_ELF_FILE_H

#include <limits.h>
#include <stddef.h>

struct elf_file {
	int class;   /* ELFCLASS32 or ELFCLASS64 */
	int machine; /* EM_... */
	char loader[PATH_MAX]; /* PT_INTERP; "" for a static program */
};

/*
 * Returns 0, -ENOEXEC for what is no valid ELF program or library, or another
 * -errno. head gets the start of the file as a string unless reading fails.
 * Of files in the other byte order only class and machine are read.
 */
int elf_file_read(const char *path, struct elf_file *file, char *head,
		  size_t head_room);

/* For messages: "32-bit x86", "64-bit machine 243". In a static buffer for
 * machines without a known name. */
const char *elf_machine_name(const struct elf_file *file);

#endif
