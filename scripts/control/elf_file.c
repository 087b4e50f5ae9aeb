/* Reads ELF headers of either class, trusting nothing in them. */
#include "scripts/control/elf_file.h"

#include <byteswap.h>
#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if BYTE_ORDER == LITTLE_ENDIAN
#define OTHER_BYTE_ORDER ELFDATA2MSB
#else
#define OTHER_BYTE_ORDER ELFDATA2LSB
#endif

/* The fields of both classes that matter here. */
struct program_headers {
	unsigned long long offset;
	unsigned size, count;
};

static int read_at(int fd, void *to, size_t size, unsigned long long offset)
{
	ssize_t got = pread(fd, to, size, (off_t)offset);

	if (got < 0)
		return -errno;
	return (size_t)got == size ? 0 : -ENOEXEC;
}

/* Enough to see that it is for another machine. */
static int describe_foreign(struct elf_file *file, const Elf64_Ehdr *header,
			    struct program_headers *headers)
{
	file->class = header->e_ident[EI_CLASS];
	file->machine = bswap_16(header->e_machine);
	headers->count = 0;
	return 0;
}

static int read_headers(int fd, struct elf_file *file,
			struct program_headers *headers)
{
	Elf64_Ehdr header;
	Elf32_Ehdr *small = (Elf32_Ehdr *)&header;
	int error = read_at(fd, &header, sizeof(*small), 0);

	if (error)
		return error;
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	if (header.e_ident[EI_DATA] == OTHER_BYTE_ORDER)
		return describe_foreign(file, &header, headers);
	if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
		return -ENOEXEC;
	file->class = header.e_ident[EI_CLASS];
	file->machine = header.e_machine;
	if (file->class == ELFCLASS32) {
		headers->offset = small->e_phoff;
		headers->size = sizeof(Elf32_Phdr);
		headers->count = small->e_phnum;
		return 0;
	}
	error = read_at(fd, &header, sizeof(header), 0);
	headers->offset = header.e_phoff;
	headers->size = sizeof(Elf64_Phdr);
	headers->count = header.e_phnum;
	return error;
}

static int read_loader(int fd, struct elf_file *file, unsigned long long offset,
		       unsigned long long size)
{
	if (size == 0 || size > sizeof(file->loader))
		return -ENOEXEC;
	if (read_at(fd, file->loader, (size_t)size, offset))
		return -ENOEXEC;
	file->loader[size - 1] = 0;
	return 0;
}

static int find_loader(int fd, struct elf_file *file,
		       const struct program_headers *headers)
{
	Elf64_Phdr large;
	Elf32_Phdr small;
	unsigned i;
	int error;

	file->loader[0] = 0;
	for (i = 0; i < headers->count; i++) {
		unsigned long long at = headers->offset +
					(unsigned long long)i * headers->size;

		if (file->class == ELFCLASS32) {
			error = read_at(fd, &small, sizeof(small), at);
			large.p_type = small.p_type;
			large.p_offset = small.p_offset;
			large.p_filesz = small.p_filesz;
		} else {
			error = read_at(fd, &large, sizeof(large), at);
		}
		if (error)
			return -ENOEXEC;
		if (large.p_type == PT_INTERP)
			return read_loader(fd, file, large.p_offset,
					   large.p_filesz);
	}
	return 0;
}

int elf_file_read(const char *path, struct elf_file *file, char *head,
		  size_t head_room)
{
	struct program_headers headers = { 0 };
	ssize_t got;
	int error, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	got = pread(fd, head, head_room - 1, 0);
	if (got < 0) {
		error = -errno;
	} else {
		head[got] = 0;
		error = read_headers(fd, file, &headers);
	}
	if (!error)
		error = find_loader(fd, file, &headers);
	close(fd);
	return error;
}

const char *elf_machine_name(const struct elf_file *file)
{
	static char unknown[64];
	const char *bits = file->class == ELFCLASS32 ? "32" : "64";

	if (file->machine == EM_386)
		return "32-bit x86";
	if (file->machine == EM_X86_64)
		return file->class == ELFCLASS32 ? "x86-64 with 32-bit pointers"
						 : "x86-64";
	if (file->machine == EM_AARCH64)
		return "aarch64";
	if (file->machine == EM_ARM)
		return "32-bit arm";
	snprintf(unknown, sizeof(unknown), "%s-bit machine %d", bits,
		 file->machine);
	return unknown;
}
