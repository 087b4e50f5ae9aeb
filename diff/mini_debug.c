/* liblzma unpacks; how much is bounded here, since the file is not trusted. */
#include "diff/mini_debug.h"

#include <lzma.h>
#include <stdlib.h>

/* The unpacked file holds a symbol table: tens of bytes a function. */
#define LARGEST_UNPACKED ((size_t)64 << 20)
#define LARGEST_DICTIONARY (UINT64_C(128) << 20)

/* Doubles the buffer until the contents fit. Returns their size, or 0. */
static size_t unpack(const Elf_Data *packed, unsigned char **out)
{
	size_t capacity = packed->d_size * 4;
	unsigned char *bytes = NULL;
	lzma_ret result = LZMA_BUF_ERROR;
	size_t size = 0;

	while (result == LZMA_BUF_ERROR && capacity <= LARGEST_UNPACKED) {
		uint64_t memory = LARGEST_DICTIONARY;
		size_t at = 0;

		free(bytes);
		bytes = malloc(capacity);
		if (!bytes)
			return 0;
		size = 0;
		result = lzma_stream_buffer_decode(&memory, 0, NULL,
						   packed->d_buf, &at,
						   packed->d_size, bytes, &size,
						   capacity);
		capacity *= 2;
	}
	if (result != LZMA_OK || !size) {
		free(bytes);
		return 0;
	}
	*out = bytes;
	return size;
}

void mini_debug_open(struct mini_debug *mini, const struct elf_file *file)
{
	Elf_Scn *section = elf_file_section(file, ".gnu_debugdata");
	Elf_Data *packed = section ? elf_rawdata(section, NULL) : NULL;
	size_t size;

	*mini = (struct mini_debug){ 0 };
	if (!packed || !packed->d_buf || !packed->d_size)
		return;
	size = unpack(packed, &mini->bytes);
	if (!size)
		return;
	mini->elf = elf_memory((char *)mini->bytes, size);
	if (!mini->elf || elf_kind(mini->elf) != ELF_K_ELF)
		mini_debug_close(mini);
}

void mini_debug_close(struct mini_debug *mini)
{
	elf_end(mini->elf);
	free(mini->bytes);
	*mini = (struct mini_debug){ 0 };
}
