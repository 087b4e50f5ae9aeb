/* Opening and checking, program headers, and the debuglink's checksum. */
#include "diff/elf_file.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/*
 * What compressed debug sections may claim to hold, as a multiple of the
 * file: compilers' output shrinks to a third, a bomb to a thousandth.
 */
#define LARGEST_EXPANSION 64

#define SMALLEST_PAGE UINT64_C(4096)

/* Of the kernel's files that act on being read, none has a size. */
static bool may_be_elf(const struct stat *status)
{
	return S_ISREG(status->st_mode) && status->st_size > EI_NIDENT;
}

/* Devices may act on being opened and FIFOs wait, so ask first. */
static int open_regular(const char *path, struct stat *status)
{
	int fd;

	if (stat(path, status))
		return -errno;
	if (!may_be_elf(status))
		return -ENOEXEC;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (fstat(fd, status) || !S_ISREG(status->st_mode)) {
		close(fd);
		return -ENOEXEC;
	}
	return fd;
}

static void print_build_id(char text[BUILD_ID_TEXT], const void *bytes,
			   ssize_t length)
{
	const unsigned char *byte = bytes;

	*text = '\0';
	if (length <= 0 || length * 2 >= BUILD_ID_TEXT)
		return;
	for (ssize_t i = 0; i < length; i++)
		sprintf(text + 2 * i, "%02x", byte[i]);
}

static void read_build_id(struct elf_file *file)
{
	const void *bytes;
	ssize_t length = dwelf_elf_gnu_build_id(file->elf, &bytes);

	print_build_id(file->build_id, bytes, length);
}

/* Adds what a section expands to; 0 where that cannot be told. */
static uint64_t expanded_size(Elf_Scn *section, const GElf_Shdr *header)
{
	GElf_Chdr compressed;

	if (!(header->sh_flags & SHF_COMPRESSED))
		return 0;
	return gelf_getchdr(section, &compressed) ? compressed.ch_size : 0;
}

/* Returns false when the sections are not what an honest linker writes. */
static bool read_sections(struct elf_file *file)
{
	uint64_t expanded = 0;
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(file->elf, &names))
		return false;
	while ((section = elf_nextscn(file->elf, section))) {
		GElf_Shdr header;
		const char *name;

		if (!gelf_getshdr(section, &header))
			return false;
		if (header.sh_type == SHT_NOBITS)
			continue;
		if (__builtin_add_overflow(expanded,
					   expanded_size(section, &header),
					   &expanded))
			return false;
		if (header.sh_type == SHT_SYMTAB)
			file->has_symbols = true;
		name = elf_strptr(file->elf, names, header.sh_name);
		if (name && (!strcmp(name, ".debug_info") ||
			     !strcmp(name, ".zdebug_info")))
			file->has_dwarf = true;
	}
	return expanded / LARGEST_EXPANSION <= file->size;
}

/* Sets *header to the next executable segment from *index on. */
static bool next_code(const struct elf_file *file, size_t *index,
		      GElf_Phdr *header)
{
	size_t count;

	if (elf_getphdrnum(file->elf, &count))
		return false;
	for (; *index < count; ++*index) {
		if (!gelf_getphdr(file->elf, (int)*index, header))
			return false;
		if (header->p_type == PT_LOAD && header->p_flags & PF_X) {
			++*index;
			return true;
		}
	}
	return false;
}

static bool examine(struct elf_file *file)
{
	GElf_Phdr code;
	GElf_Ehdr header;
	size_t index = 0;

	if (elf_kind(file->elf) != ELF_K_ELF ||
	    !gelf_getehdr(file->elf, &header))
		return false;
	/* dwz writes relocatable files, which hold no code. */
	if (header.e_type != ET_EXEC && header.e_type != ET_DYN &&
	    header.e_type != ET_REL)
		return false;
	if (!read_sections(file))
		return false;
	read_build_id(file);
	/* Code has no zeroed part, unless it lies in one segment with data. */
	file->stripped_contents = next_code(file, &index, &code) &&
				  code.p_filesz < code.p_memsz &&
				  !(code.p_flags & PF_W);
	return true;
}

int elf_file_open(struct elf_file **out, const char *path)
{
	struct elf_file *file;
	struct stat status;
	int fd = open_regular(path, &status);

	if (fd < 0)
		return fd == -ENOTDIR ? -ENOENT : fd;
	file = calloc(1, sizeof(*file));
	if (!file) {
		close(fd);
		return -ENOMEM;
	}
	file->fd = fd;
	file->size = (uint64_t)status.st_size;
	file->path = strdup(path);
	file->elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (!file->path || !file->elf || !examine(file)) {
		elf_file_close(file);
		return -ENOEXEC;
	}
	*out = file;
	return 0;
}

bool elf_file_may_open(const char *path)
{
	struct elf_file *file;
	int error = elf_file_open(&file, path);

	if (!error)
		elf_file_close(file);
	return !error || error == -ENOENT;
}

void elf_file_close(struct elf_file *file)
{
	if (!file)
		return;
	elf_end(file->elf);
	if (file->fd >= 0)
		close(file->fd);
	free(file->path);
	free(file);
}

void elf_file_release_fd(struct elf_file *file)
{
	if (file->fd < 0 || elf_cntl(file->elf, ELF_C_FDREAD))
		return;
	close(file->fd);
	file->fd = -1;
}

/*
 * objcopy --only-keep-debug leaves addresses and memory sizes in the program
 * headers but no file offsets. Linkers lay segments out in order, each at the
 * first place after the one before that is congruent to its address, so the
 * offsets follow. (Contents fill memory up to the first writable segment, and
 * code comes before it.)
 */
static bool reconstructed_address(const struct elf_file *file, uint64_t offset,
				  uint64_t *address)
{
	uint64_t end = 0;
	size_t count;

	if (elf_getphdrnum(file->elf, &count))
		return false;
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr header;
		uint64_t start;

		if (!gelf_getphdr(file->elf, (int)i, &header))
			return false;
		if (header.p_type != PT_LOAD)
			continue;
		if (header.p_flags & PF_W)
			return false;
		start = end + ((header.p_vaddr - end) & (SMALLEST_PAGE - 1));
		if (offset < start)
			return false;
		end = start + header.p_memsz;
		if (offset < end && header.p_flags & PF_X) {
			*address = offset - start + header.p_vaddr;
			return true;
		}
	}
	return false;
}

bool elf_file_address(const struct elf_file *file, uint64_t offset,
		      uint64_t *address)
{
	GElf_Phdr header;
	size_t index = 0;

	if (file->stripped_contents)
		return reconstructed_address(file, offset, address);
	while (next_code(file, &index, &header)) {
		if (offset >= header.p_offset &&
		    offset - header.p_offset < header.p_filesz) {
			*address = offset - header.p_offset + header.p_vaddr;
			return true;
		}
	}
	return false;
}

bool elf_file_has_crc(const struct elf_file *file, uint32_t crc)
{
	unsigned char buffer[64 * 1024];
	uLong sum = crc32(0, NULL, 0);
	off_t at = 0;
	ssize_t got;

	while ((got = pread(file->fd, buffer, sizeof(buffer), at)) > 0) {
		sum = crc32(sum, buffer, (uInt)got);
		at += got;
	}
	return got == 0 && sum == crc;
}

Elf_Scn *elf_file_section(const struct elf_file *file, const char *wanted)
{
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(file->elf, &names))
		return NULL;
	while ((section = elf_nextscn(file->elf, section))) {
		GElf_Shdr header;
		const char *name;

		if (!gelf_getshdr(section, &header))
			return NULL;
		name = elf_strptr(file->elf, names, header.sh_name);
		if (name && !strcmp(name, wanted) &&
		    header.sh_type != SHT_NOBITS)
			return section;
	}
	return NULL;
}

const char *elf_file_alternate(const struct elf_file *file,
			       char build_id[BUILD_ID_TEXT])
{
	Elf_Scn *section = elf_file_section(file, ".gnu_debugaltlink");
	Elf_Data *data = section ? elf_rawdata(section, NULL) : NULL;
	const char *name = data ? data->d_buf : NULL;
	size_t length;

	if (!name)
		return NULL;
	length = strnlen(name, data->d_size);
	if (!length || length == data->d_size)
		return NULL;
	print_build_id(build_id, name + length + 1,
		       (ssize_t)(data->d_size - length - 1));
	return name;
}
