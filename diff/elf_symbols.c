/*
 * One address map over the functions of .symtab, else what .dynsym and
 * .gnu_debugdata have. Aliases are sorted by how well they name the code, so
 * that the answer does not depend on the table's order.
 */
#include "diff/elf_symbols.h"

#include "diff/address_map.h"
#include "diff/demangle.h"
#include "diff/mini_debug.h"

#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

struct symbol {
	uint64_t low;
	uint64_t size;
	const char *raw;
	const char *name; /* NULL until asked for */
	bool demangled;
	unsigned char binding;
};

struct elf_symbols {
	struct symbol *all;
	size_t count;
	size_t capacity;
	struct address_map map;
	struct mini_debug mini; /* owns some of the names */
};

static int add(struct elf_symbols *symbols, const struct symbol *symbol)
{
	if (symbols->count == symbols->capacity) {
		size_t capacity =
			symbols->capacity ? symbols->capacity * 2 : 256;
		struct symbol *all = reallocarray(symbols->all, capacity,
						  sizeof(*all));

		if (!all)
			return -ENOMEM;
		symbols->all = all;
		symbols->capacity = capacity;
	}
	symbols->all[symbols->count++] = *symbol;
	return 0;
}

static bool is_function(const GElf_Sym *symbol)
{
	int type = GELF_ST_TYPE(symbol->st_info);

	return (type == STT_FUNC || type == STT_GNU_IFUNC) &&
	       symbol->st_shndx != SHN_UNDEF && symbol->st_size &&
	       symbol->st_value <= UINT64_MAX - symbol->st_size;
}

static int read_table(struct elf_symbols *symbols, Elf *elf, Elf_Scn *section,
		      const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t count = header->sh_entsize && data
			       ? data->d_size / header->sh_entsize : 0;

	for (size_t i = 0; i < count; i++) {
		struct symbol symbol = { 0 };
		GElf_Sym found;

		if (!gelf_getsym(data, (int)i, &found))
			break;
		if (!is_function(&found))
			continue;
		symbol.raw = elf_strptr(elf, header->sh_link, found.st_name);
		if (!symbol.raw || !*symbol.raw)
			continue;
		symbol.low = found.st_value;
		symbol.size = found.st_size;
		symbol.binding = GELF_ST_BIND(found.st_info);
		if (add(symbols, &symbol))
			return -ENOMEM;
	}
	return 0;
}

static int read_tables(struct elf_symbols *symbols, Elf *elf, GElf_Word type)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;

		if (gelf_getshdr(section, &header) && header.sh_type == type &&
		    read_table(symbols, elf, section, &header))
			return -ENOMEM;
	}
	return 0;
}

/* Global names are an interface, local ones the author's, weak ones aliases. */
static int binding_rank(const struct symbol *symbol)
{
	switch (symbol->binding) {
	case STB_GLOBAL:
		return 0;
	case STB_LOCAL:
		return 1;
	default:
		return 2;
	}
}

static int compare(const void *left, const void *right)
{
	const struct symbol *a = left;
	const struct symbol *b = right;
	int difference = binding_rank(a) - binding_rank(b);

	/* calloc rather than __libc_calloc */
	if (!difference)
		difference = (int)strspn(a->raw, "_") -
			     (int)strspn(b->raw, "_");
	return difference ? difference : strcmp(a->raw, b->raw);
}

static int build(struct elf_symbols *symbols)
{
	if (!symbols->count)
		return 0;
	qsort(symbols->all, symbols->count, sizeof(*symbols->all), compare);
	for (size_t i = 0; i < symbols->count; i++) {
		const struct symbol *symbol = &symbols->all[i];

		if (address_map_add(&symbols->map, (struct address_range){
			    .low = symbol->low,
			    .high = symbol->low + symbol->size,
			    .value = (uint32_t)i }))
			return -ENOMEM;
	}
	return address_map_build(&symbols->map);
}

/* What a stripped program has left; the two tables complement each other. */
static int read_leftovers(struct elf_symbols *symbols,
			  const struct elf_file *image)
{
	mini_debug_open(&symbols->mini, image);
	if (symbols->mini.elf &&
	    read_tables(symbols, symbols->mini.elf, SHT_SYMTAB))
		return -ENOMEM;
	return read_tables(symbols, image->elf, SHT_DYNSYM);
}

static int read_files(struct elf_symbols *symbols,
		      const struct elf_file *image,
		      const struct elf_file *debug)
{
	int error = 0;

	if (debug)
		error = read_tables(symbols, debug->elf, SHT_SYMTAB);
	if (!error && !symbols->count && image && image != debug)
		error = read_tables(symbols, image->elf, SHT_SYMTAB);
	if (!error && !symbols->count && image)
		error = read_leftovers(symbols, image);
	return error;
}

struct elf_symbols *elf_symbols_new(const struct elf_file *image,
				    const struct elf_file *debug)
{
	struct elf_symbols *symbols = calloc(1, sizeof(*symbols));

	if (!symbols)
		return NULL;
	if (read_files(symbols, image, debug) || build(symbols)) {
		elf_symbols_free(symbols);
		return NULL;
	}
	return symbols;
}

void elf_symbols_free(struct elf_symbols *symbols)
{
	if (!symbols)
		return;
	mini_debug_close(&symbols->mini);
	address_map_free(&symbols->map);
	free(symbols->all);
	free(symbols);
}

size_t elf_symbols_count(const struct elf_symbols *symbols)
{
	return symbols->count;
}

/* Where the name proper ends: before @VERSION and clone suffixes. */
static size_t plain_length(const char *name)
{
	static const char *const clones[] = {
		".cold", ".part.", ".constprop.", ".isra.", ".lto_priv.",
		".llvm.",
	};
	size_t length = strcspn(name, "@");

	for (size_t i = 0; i < sizeof(clones) / sizeof(*clones); i++) {
		const char *clone = strstr(name, clones[i]);

		if (clone && clone != name && (size_t)(clone - name) < length)
			length = (size_t)(clone - name);
	}
	return length ? length : strlen(name);
}

static void resolve(struct symbol *symbol, struct symbol_arena *arena)
{
	size_t length = plain_length(symbol->raw);
	char *plain = symbol_arena_text(arena, symbol->raw, length);

	symbol->name = plain ? demangle(arena, plain) : NULL;
	symbol->demangled = symbol->name;
	if (!symbol->name)
		symbol->name = plain ? plain : symbol->raw;
}

bool elf_symbols_find(struct elf_symbols *symbols, struct symbol_arena *arena,
		      uint64_t address, struct elf_symbol_name *name)
{
	struct symbol *symbol;
	uint32_t index;

	if (!address_map_find(&symbols->map, address, &index))
		return false;
	symbol = &symbols->all[index];
	if (!symbol->name)
		resolve(symbol, arena);
	name->text = symbol->name;
	name->demangled = symbol->demangled;
	return true;
}
