/*
 * One ELF file, open for reading: what it is (build id), what it holds, and
 * where a byte of the file lies in the program's address space. The only file
 * that opens files for the symboliser; paths come from snapshots that nobody
 * vouches for, so nothing but regular files is ever opened, and none written.
 */
#ifndef ELF_FILE_H
#define ELF_FILE_H

#include <elfutils/libdw.h>
#include <libelf.h>
#include <stdbool.h>
#include <stdint.h>

/* Hex digits and the NUL; longer build ids count as none. */
#define BUILD_ID_TEXT 129

struct elf_file {
	Elf *elf;
	int fd; /* -1 once released */
	uint64_t size; /* bytes */
	char *path;
	char build_id[BUILD_ID_TEXT]; /* lowercase hex, or "" */
	bool has_dwarf;
	bool has_symbols; /* a .symtab */
	bool stripped_contents; /* debug file whose program headers lost their
				   offsets (objcopy --only-keep-debug) */
};

/*
 * Returns 0, -ENOENT when there is no such file, -ENOEXEC when it is no valid
 * ELF program or library, or another -errno. On success the caller closes
 * *file.
 */
int elf_file_open(struct elf_file **file, const char *path);

/*
 * For paths that libdw is going to open itself: whether that can do no harm,
 * since elf_file_open would take what is there, or there is nothing at all.
 */
bool elf_file_may_open(const char *path);

void elf_file_close(struct elf_file *file);

/*
 * Gives the descriptor back, as a report may need more files than a process
 * may have open. The contents stay; their checksum can no longer be taken.
 */
void elf_file_release_fd(struct elf_file *file);

/*
 * The virtual address of the byte at `offset` of the program file; false when
 * it lies in no executable segment. In a debug file whose headers lost their
 * offsets, these are reconstructed.
 */
bool elf_file_address(const struct elf_file *file, uint64_t offset,
		      uint64_t *address);

/* Whether the file's contents match a .gnu_debuglink's checksum. */
bool elf_file_has_crc(const struct elf_file *file, uint32_t crc);

/*
 * The name in .gnu_debugaltlink, which stays the file's, with its build id;
 * NULL when there is none.
 */
const char *elf_file_alternate(const struct elf_file *file,
			       char build_id[BUILD_ID_TEXT]);

/* The section of this name that has contents, or NULL. */
Elf_Scn *elf_file_section(const struct elf_file *file, const char *name);

#endif
