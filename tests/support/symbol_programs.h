/*
 * For the tests of the symboliser: a folder of programs compiled on the spot,
 * where the labels in them lie, and answers as one line of text.
 */
#ifndef SYMBOL_PROGRAMS_H
#define SYMBOL_PROGRAMS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diff/symbolize.h"

static char folder[] = "/tmp/leakdiff-symbols-XXXXXX";
static char source_root[2048];

/* Runs a shell command in the folder; the test fails when that does. */
__attribute__((format(printf, 1, 2))) static inline void
sh(const char *format, ...)
{
	va_list arguments;
	char command[4096];
	int length = snprintf(command, sizeof(command), "cd %s && ", folder);

	va_start(arguments, format);
	vsnprintf(command + length, sizeof(command) - (size_t)length, format,
		  arguments);
	va_end(arguments);
	if (system(command))
		fail_msg("failed: %s", command);
}

static inline int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder) || !getcwd(source_root, sizeof(source_root)))
		return -1;
	/* What happens here must not depend on the user's set-up. */
	unsetenv("DEBUGINFOD_URLS");
	sh("cp %s/tests/data/symbols/* .", source_root);
	return 0;
}

static inline int remove_folder(void **state)
{
	(void)state;
	sh("rm -rf %s", folder);
	return 0;
}

/* The path of a file in the folder. */
static inline const char *in_folder(const char *name)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static inline uint64_t symbol_address(Elf *elf, const char *name)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		GElf_Sym symbol;

		gelf_getshdr(section, &header);
		if (header.sh_type != SHT_SYMTAB)
			continue;
		for (int i = 0; gelf_getsym(elf_getdata(section, NULL), i,
					    &symbol); i++)
			if (!strcmp(elf_strptr(elf, header.sh_link,
					       symbol.st_name), name))
				return symbol.st_value;
	}
	fail_msg("no symbol %s", name);
	return 0;
}

static inline uint64_t file_offset(Elf *elf, uint64_t address)
{
	GElf_Phdr header;

	for (int i = 0; gelf_getphdr(elf, i, &header); i++)
		if (header.p_type == PT_LOAD && address >= header.p_vaddr &&
		    address - header.p_vaddr < header.p_filesz)
			return address - header.p_vaddr + header.p_offset;
	fail_msg("address %#lx is in no segment", (unsigned long)address);
	return 0;
}

/* Where a label of an unstripped program in the folder lies in its file. */
static inline uint64_t offset_of(const char *program, const char *label)
{
	int fd = open(in_folder(program), O_RDONLY | O_CLOEXEC);
	uint64_t offset;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	assert_non_null(elf);
	offset = file_offset(elf, symbol_address(elf, label));
	elf_end(elf);
	close(fd);
	return offset;
}

/* The build id of a program in the folder, in hex. */
static inline const char *build_id_of(const char *program)
{
	static char text[256];
	char command[256];
	FILE *pipe;

	snprintf(command, sizeof(command),
		 "readelf -n %s/%s 2>&1 | sed -n 's/ *Build ID: //p'", folder,
		 program);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_non_null(fgets(text, sizeof(text), pipe));
	pclose(pipe);
	text[strcspn(text, "\n")] = '\0';
	return text;
}

/*
 * The frames as text, innermost first: "f a.c:3 in g b.c:7", where "in" stands
 * behind inlined ones and "/" behind others; files without their folders, "?"
 * for what is unknown, "" without frames.
 */
static inline const char *frames_text(struct symbol_module *module,
				      uint64_t offset)
{
	static char text[1 << 16];
	const struct source_frame *frames;
	size_t count = symbolize(module, offset, &frames);
	size_t at = 0;

	*text = '\0';
	for (size_t i = 0; i < count && at < sizeof(text); i++) {
		const char *file = frames[i].file ? frames[i].file : "?";
		const char *slash = strrchr(file, '/');

		at += (size_t)snprintf(
			text + at, sizeof(text) - at, "%s %s:%d%s",
			frames[i].function ? frames[i].function : "?",
			slash ? slash + 1 : file, frames[i].line,
			frames[i].inlined ? " in "
					  : i + 1 < count ? " / " : "");
	}
	return text;
}

/* One question to a symboliser of its own. */
struct question {
	const char *path;
	const char *build_id;
	uint64_t offset;
	const char *symbols; /* --symbols, one folder */
	const char *sysroot;
};

static inline void assert_answer(struct question question,
				 enum module_state state, const char *frames)
{
	const char *dirs[] = { question.symbols, NULL };
	struct symbolizer_options options = { dirs, question.sysroot };
	struct symbolizer *symbolizer = symbolizer_new(&options);
	struct symbol_module *module = symbolizer_module(
		symbolizer, question.path, question.build_id);

	assert_string_equal(frames_text(module, question.offset), frames);
	assert_int_equal(symbol_module_state(module), state);
	symbolizer_free(symbolizer);
}

#endif
