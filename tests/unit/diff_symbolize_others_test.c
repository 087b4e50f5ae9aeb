/*
 * Hundreds of addresses all over a program, against eu-addr2line, which walks
 * the debug information anew for each, and llvm-symbolizer, which shares no
 * code with us. (The former leaves out some inlined frames, so that just the
 * innermost one is compared.)
 */
#include "tests/support/symbol_programs.h"

#include <limits.h>

#define ADDRESSES 600

struct text_section {
	uint64_t address;
	uint64_t offset;
	uint64_t size;
};

static struct text_section text_of(const char *program)
{
	int fd = open(in_folder(program), O_RDONLY | O_CLOEXEC);
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	struct text_section text = { 0 };
	Elf_Scn *section = NULL;
	size_t names;

	assert_int_equal(elf_getshdrstrndx(elf, &names), 0);
	while (!text.size && (section = elf_nextscn(elf, section))) {
		GElf_Shdr header;

		gelf_getshdr(section, &header);
		if (!strcmp(elf_strptr(elf, names, header.sh_name), ".text"))
			text = (struct text_section){ header.sh_addr,
						      header.sh_offset,
						      header.sh_size };
	}
	assert_int_not_equal(text.size, 0);
	elf_end(elf);
	close(fd);
	return text;
}

/* The n-th of the addresses, as a distance from the start of .text. */
static uint64_t pick(const struct text_section *text, size_t n)
{
	/* Odd steps over the whole section, the same in every run. */
	return n * UINT64_C(2654435761) % text->size;
}

/* A tool that reads addresses and prints pairs of lines: function, place. */
static FILE *start_tool(const char *tool, const char *program,
			const struct text_section *text)
{
	FILE *list = fopen(in_folder("addresses"), "w");
	char command[512];
	FILE *pipe;

	assert_non_null(list);
	for (size_t n = 0; n < ADDRESSES; n++)
		fprintf(list, "0x%lx\n",
			(unsigned long)(text->address + pick(text, n)));
	fclose(list);
	snprintf(command, sizeof(command), "%s %s/%s <%s/addresses", tool,
		 folder, program, folder);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	return pipe;
}

/* Goes to the next line that is not empty; false when that is an address. */
static bool next_line(FILE *from, char *line, int size)
{
	do {
		if (!fgets(line, size, from))
			return false;
		line[strcspn(line, "\n")] = '\0';
	} while (!*line);
	return strncmp(line, "0x", 2) != 0;
}

/* "function[ inlined at ...]" and "path:line[:column]". */
static void assert_frame(const struct source_frame *frame, char *function,
			 char *place)
{
	char *colon = strchr(place, ':');
	char path[PATH_MAX];

	function[strcspn(function, " ")] = '\0';
	assert_string_equal(frame->function, function);
	assert_non_null(colon);
	*colon = '\0';
	assert_non_null(realpath(place, path));
	assert_string_equal(frame->file, path);
	assert_int_equal(frame->line, atoi(colon + 1));
}

/*
 * Compares what the tool says until its next address with our frames, or just
 * with the innermost one. Where we name no function, between functions, it
 * may say what it likes. Returns the number of frames compared.
 */
static size_t compare(FILE *pipe, const struct source_frame *frames,
		      size_t count, bool innermost)
{
	char function[1024], place[PATH_MAX];
	size_t compared = 0;
	size_t at = 0;

	while (next_line(pipe, function, sizeof(function))) {
		assert_true(next_line(pipe, place, sizeof(place)));
		if (!count || !frames[0].file || !frames[0].function ||
		    (at && innermost))
			continue;
		assert_true(at < count);
		assert_frame(&frames[at++], function, place);
		compared++;
	}
	if (compared && !innermost)
		assert_int_equal(at, count);
	return compared;
}

static void assert_same(const char *tool, bool innermost, const char *compile)
{
	const struct symbolizer_options options = { 0 };
	struct symbolizer *symbolizer = symbolizer_new(&options);
	const struct source_frame *frames;
	struct symbol_module *module;
	struct text_section text;
	char line[64];
	size_t compared = 0;
	FILE *pipe;

	/* Real code: the symboliser's own. */
	sh("cd %s/diff && %s -std=gnu11 -shared -fPIC -I.. -o %s/program.so "
	   "address_map.c word_map.c source_path.c dwarf_scopes.c "
	   "dwarf_names.c elf_symbols.c debug_files.c", source_root, compile,
	   folder);
	text = text_of("program.so");
	pipe = start_tool(tool, "program.so", &text);
	module = symbolizer_module(symbolizer, in_folder("program.so"), NULL);
	assert_false(next_line(pipe, line, sizeof(line)));
	for (size_t n = 0; n < ADDRESSES; n++) {
		size_t count = symbolize(module, text.offset + pick(&text, n),
					 &frames);

		compared += compare(pipe, frames, count, innermost);
	}
	assert_int_equal(pclose(pipe), 0);
	assert_true(compared > ADDRESSES * 8 / 10);
	symbolizer_free(symbolizer);
}

/* elfutils finds units by .debug_aranges, which clang writes on demand. */
static void test_eu_addr2line(void **state)
{
	const char *tool = "eu-addr2line -a -i -f -A -e";

	(void)state;
	assert_same(tool, true, "gcc -O2 -g");
	assert_same(tool, true, "gcc -O3 -gdwarf-4");
	assert_same(tool, true, "clang -O2 -g -gdwarf-aranges");
	assert_same(tool, true, "clang -O2 -gdwarf-4 -gdwarf-aranges "
				"-fuse-ld=lld");
}

static void test_llvm_symbolizer(void **state)
{
	const char *tool = "llvm-symbolizer-14 --print-address -i -f -e";

	(void)state;
	assert_same(tool, false, "gcc -O2 -g");
	assert_same(tool, false, "gcc -O3 -gdwarf-4");
	assert_same(tool, false, "clang -O2 -g");
	assert_same(tool, false, "clang -O2 -gdwarf-4 -fuse-ld=lld");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_eu_addr2line),
		cmocka_unit_test(test_llvm_symbolizer),
	};

	elf_version(EV_CURRENT);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
