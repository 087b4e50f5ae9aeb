/*
 * Policy: which of the sources that a module has answers for an address, and
 * what is remembered. Finding files, DWARF and symbol tables lie beneath.
 */
#define _GNU_SOURCE /* tdestroy */
#include "diff/symbolize.h"

#include "diff/debug_files.h"
#include "diff/dwarf_source.h"
#include "diff/elf_symbols.h"
#include "diff/symbol_arena.h"
#include "diff/word_map.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

struct symbolizer {
	struct symbolizer_options options; /* owned copies */
	void *modules;                     /* a tsearch(3) tree */
};

struct frame_list {
	size_t count;
	struct source_frame frames[];
};

struct symbol_module {
	const struct symbolizer_options *options;
	char *path;
	char *build_id;
	bool opened;
	enum module_state state;
	struct debug_files files;
	struct dwarf_source *dwarf;  /* or NULL */
	struct elf_symbols *symbols; /* or NULL */
	struct symbol_arena arena;
	struct word_map answers; /* offset to struct frame_list */
};

static void free_options(struct symbolizer_options *options)
{
	char **dirs = (char **)(uintptr_t)options->symbol_dirs;

	for (size_t i = 0; dirs && dirs[i]; i++)
		free(dirs[i]);
	free(dirs);
	free((char *)(uintptr_t)options->sysroot);
}

static bool copy_options(struct symbolizer_options *copy,
			 const struct symbolizer_options *options)
{
	size_t count = 0;
	char **dirs;

	if (options->sysroot && !(copy->sysroot = strdup(options->sysroot)))
		return false;
	while (options->symbol_dirs && options->symbol_dirs[count])
		count++;
	dirs = calloc(count + 1, sizeof(*dirs));
	copy->symbol_dirs = (const char *const *)dirs;
	for (size_t i = 0; dirs && i < count; i++)
		if (!(dirs[i] = strdup(options->symbol_dirs[i])))
			return false;
	return dirs;
}

struct symbolizer *symbolizer_new(const struct symbolizer_options *options)
{
	struct symbolizer *symbolizer = calloc(1, sizeof(*symbolizer));

	if (!symbolizer)
		return NULL;
	if (!copy_options(&symbolizer->options, options)) {
		symbolizer_free(symbolizer);
		return NULL;
	}
	elf_version(EV_CURRENT);
	return symbolizer;
}

static void free_module(void *node)
{
	struct symbol_module *module = node;

	if (!module)
		return;
	dwarf_source_close(module->dwarf);
	elf_symbols_free(module->symbols);
	debug_files_release(&module->files);
	word_map_free(&module->answers);
	symbol_arena_free(&module->arena);
	free(module->path);
	free(module->build_id);
	free(module);
}

void symbolizer_free(struct symbolizer *symbolizer)
{
	if (!symbolizer)
		return;
	tdestroy(symbolizer->modules, free_module);
	free_options(&symbolizer->options);
	free(symbolizer);
}

static int compare_modules(const void *left, const void *right)
{
	const struct symbol_module *a = left;
	const struct symbol_module *b = right;
	int order = strcmp(a->build_id, b->build_id);

	return order ? order : strcmp(a->path, b->path);
}

static struct symbol_module *new_module(struct symbolizer *symbolizer,
					const char *path, const char *build_id)
{
	struct symbol_module *module = calloc(1, sizeof(*module));

	if (!module)
		return NULL;
	module->options = &symbolizer->options;
	module->path = strdup(path);
	module->build_id = strdup(build_id);
	if (!module->path || !module->build_id ||
	    !tsearch(module, &symbolizer->modules, compare_modules)) {
		free_module(module);
		return NULL;
	}
	return module;
}

struct symbol_module *symbolizer_module(struct symbolizer *symbolizer,
					const char *path, const char *build_id)
{
	struct symbol_module key = {
		.path = (char *)(uintptr_t)path,
		.build_id = (char *)(uintptr_t)(build_id ? build_id : ""),
	};
	struct symbol_module **found =
		tfind(&key, &symbolizer->modules, compare_modules);

	return found ? *found : new_module(symbolizer, path, key.build_id);
}

static void open_sources(struct symbol_module *module)
{
	struct debug_files *files = &module->files;
	int error = files->debug ? dwarf_source_open(&module->dwarf,
						     files->debug,
						     files->alternate,
						     &module->arena)
				 : -ENODATA;

	module->symbols = elf_symbols_new(files->image, files->debug);
	if (error == -EBADMSG)
		module->state = MODULE_UNREADABLE;
	else if (!error)
		module->state = MODULE_FULL;
	else if (module->symbols && elf_symbols_count(module->symbols))
		module->state = MODULE_SYMBOLS;
	else
		module->state = MODULE_NO_SYMBOLS;
	debug_files_release_fds(files);
}

static void open_once(struct symbol_module *module)
{
	if (module->opened)
		return;
	module->opened = true;
	module->state = debug_files_find(&module->files, module->options,
					 module->path, module->build_id);
	if (module->files.image || module->files.debug)
		open_sources(module);
}

enum module_state symbol_module_state(struct symbol_module *module)
{
	open_once(module);
	return module->state;
}

static size_t find_frames(struct symbol_module *module, uint64_t offset,
			  struct source_frame *frames)
{
	const struct elf_file *headers = module->files.image
						 ? module->files.image
						 : module->files.debug;
	struct elf_symbol_name symbol;
	struct source_frame *last;
	uint64_t address;
	bool complete = false;
	size_t count = 0;

	if (!headers || !elf_file_address(headers, offset, &address))
		return 0;
	if (module->dwarf)
		count = dwarf_source_find(module->dwarf, address, frames,
					  &complete);
	if (!complete && module->symbols &&
	    elf_symbols_find(module->symbols, &module->arena, address,
			     &symbol)) {
		if (!count)
			frames[count++] = (struct source_frame){ 0 };
		last = &frames[count - 1];
		/*
		 * Debug information without linkage names (-g1) calls a method
		 * by its bare name; the symbol knows its class.
		 */
		if (!last->function || symbol.demangled)
			last->function = symbol.text;
	}
	return count;
}

size_t symbolize(struct symbol_module *module, uint64_t offset,
		 const struct source_frame **out)
{
	struct source_frame frames[DWARF_MAX_FRAMES];
	struct frame_list *list = word_map_get(&module->answers, offset);
	size_t count;

	if (!list) {
		open_once(module);
		count = find_frames(module, offset, frames);
		list = symbol_arena_alloc(&module->arena,
					  sizeof(*list) +
						  count * sizeof(*frames));
		if (!list)
			return 0;
		list->count = count;
		memcpy(list->frames, frames, count * sizeof(*frames));
		word_map_add(&module->answers, offset, list);
	}
	*out = list->frames;
	return list->count;
}
