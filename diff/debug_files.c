/*
 * The search is a list of places in order of trust; each file there is opened,
 * compared by build id, and kept if it adds something: the program as named,
 * --symbols folders, the sysroot, .gnu_debuglink, the system's debug files,
 * debuginfod.
 */
#define _GNU_SOURCE /* vasprintf */
#include "diff/debug_files.h"

#include "diff/debug_server.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYSTEM_DEBUG "/usr/lib/debug"
#define DELETED " (deleted)"
#define IMPOSSIBLE "?" /* a build id that no file has */

struct search {
	const struct symbolizer_options *options;
	struct debug_files *files;
	char *path;                   /* without " (deleted)" */
	char build_id[BUILD_ID_TEXT]; /* that is wanted; "" = none known */
	bool path_is_gone; /* whatever is at `path` now has taken its place */
	bool other_build;
	bool unreadable;
};

/* What vouches for a file that cannot be compared by build id. */
enum proof {
	PROOF_NONE, /* nothing does */
	PROOF_USER, /* the user named the folder, or the snapshot the path */
	PROOF_CRC   /* the debuglink's checksum does, if it is right */
};

static bool is_done(const struct search *search)
{
	return search->files->image && search->files->debug &&
	       search->files->debug->has_dwarf;
}

static bool belongs(struct search *search, const struct elf_file *file,
		    enum proof proof, uint32_t crc)
{
	if (*search->build_id && *file->build_id)
		return !strcmp(search->build_id, file->build_id);
	if (proof == PROOF_CRC)
		return elf_file_has_crc(file, crc);
	if (*search->build_id)
		return false;
	/* A program without a build id has no debug file with one. */
	if (search->files->image && *file->build_id)
		return false;
	return proof == PROOF_USER;
}

/* DWARF before a symbol table before nothing. */
static int worth(const struct elf_file *file)
{
	if (!file)
		return -1;
	return file->has_dwarf ? 2 : file->has_symbols;
}

/* Takes the file over: it is kept or closed. */
static void keep(struct search *search, struct elf_file *file)
{
	struct debug_files *files = search->files;
	struct elf_file *old = files->debug;
	bool used = false;

	if (!files->image && !file->stripped_contents) {
		files->image = file;
		strcpy(search->build_id, file->build_id);
		used = true;
	}
	if (worth(file) > worth(old)) {
		files->debug = file;
		if (old != files->image)
			elf_file_close(old);
		used = true;
	}
	if (!used)
		elf_file_close(file);
}

static void consider(struct search *search, const char *path,
		     enum proof proof, uint32_t crc)
{
	struct elf_file *file;
	int error;

	if (is_done(search))
		return;
	error = elf_file_open(&file, path);
	if (error) {
		search->unreadable |= error != -ENOENT;
		return;
	}
	if (belongs(search, file, proof, crc)) {
		keep(search, file);
	} else {
		search->other_build = true;
		elf_file_close(file);
	}
}

__attribute__((format(printf, 4, 5))) static void
consider_at(struct search *search, enum proof proof, uint32_t crc,
	    const char *format, ...)
{
	va_list arguments;
	char *path;
	int length;

	va_start(arguments, format);
	length = vasprintf(&path, format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	consider(search, path, proof, crc);
	free(path);
}

/* Whether files can be looked up by the build id. */
static bool has_store_key(const struct search *search)
{
	return strlen(search->build_id) > 2;
}

/* The store that distributions use: two digits, a slash, the rest. */
static void try_build_id(struct search *search, const char *root,
			 const char *folder)
{
	const char *id = search->build_id;

	if (!has_store_key(search))
		return;
	consider_at(search, PROOF_NONE, 0, "%s%s/.build-id/%.2s/%s.debug", root,
		    folder, id, id + 2);
	consider_at(search, PROOF_NONE, 0, "%s%s/.build-id/%.2s/%s", root,
		    folder, id, id + 2);
}

/* A folder may be such a store, or the root of an unpacked package. */
static void try_stores(struct search *search, const char *dir)
{
	try_build_id(search, dir, "");
	try_build_id(search, dir, SYSTEM_DEBUG);
}

static void try_symbol_dir(struct search *search, const char *dir)
{
	const char *slash = strrchr(search->path, '/');
	const char *name = slash ? slash + 1 : search->path;

	try_stores(search, dir);
	if (slash) {
		consider_at(search, PROOF_USER, 0, "%s%s", dir, search->path);
		consider_at(search, PROOF_USER, 0, "%s%s.debug", dir,
			    search->path);
	}
	consider_at(search, PROOF_USER, 0, "%s/%s", dir, name);
	consider_at(search, PROOF_USER, 0, "%s/%s.debug", dir, name);
}

/* Where the program names its debug file itself. */
static void try_debug_link(struct search *search)
{
	const char *const *dirs = search->options->symbol_dirs;
	const char *root = search->options->sysroot;
	GElf_Word crc;
	const char *name;
	int folder;

	if (!search->files->image)
		return;
	name = dwelf_elf_gnu_debuglink(search->files->image->elf, &crc);
	if (!name || !*name || strchr(name, '/'))
		return;
	for (; dirs && *dirs; dirs++)
		consider_at(search, PROOF_CRC, crc, "%s/%s", *dirs, name);
	folder = (int)(strrchr(search->files->image->path, '/') -
		       search->files->image->path);
	consider_at(search, PROOF_CRC, crc, "%.*s/%s", folder,
		    search->files->image->path, name);
	consider_at(search, PROOF_CRC, crc, "%.*s/.debug/%s", folder,
		    search->files->image->path, name);
	if (*search->path != '/')
		return;
	folder = (int)(strrchr(search->path, '/') - search->path);
	if (root)
		consider_at(search, PROOF_CRC, crc,
			    "%s" SYSTEM_DEBUG "%.*s/%s", root, folder,
			    search->path, name);
	consider_at(search, PROOF_CRC, crc, SYSTEM_DEBUG "%.*s/%s", folder,
		    search->path, name);
}

static void try_server(struct search *search, enum debug_server_file file)
{
	char *path = NULL;

	if (has_store_key(search) && !is_done(search))
		path = debug_server_fetch(search->build_id, file);
	if (path)
		consider(search, path, PROOF_NONE, 0);
	free(path);
}

static void try_everywhere(struct search *search)
{
	const struct symbolizer_options *options = search->options;
	const char *root = options->sysroot ? options->sysroot : "";

	if (*search->path == '/')
		consider_at(search, search->path_is_gone ? PROOF_NONE
							 : PROOF_USER,
			    0, "%s%s", root, search->path);
	for (size_t i = 0; options->symbol_dirs && options->symbol_dirs[i]; i++)
		try_symbol_dir(search, options->symbol_dirs[i]);
	try_build_id(search, root, SYSTEM_DEBUG);
	if (*root)
		try_build_id(search, "", SYSTEM_DEBUG);
	try_debug_link(search);
	try_server(search, SERVER_DEBUG_INFO);
	if (!search->files->image && !search->files->debug)
		try_server(search, SERVER_EXECUTABLE);
}

/*
 * What dwz moved out of several debug files of a package lies in the same
 * stores, or where the debug file says as seen from itself.
 */
static void find_alternate(struct search *search)
{
	const struct symbolizer_options *options = search->options;
	const char *root = options->sysroot ? options->sysroot : "";
	struct elf_file *debug = search->files->debug;
	struct debug_files found = { 0 };
	struct search shared = { .options = options, .files = &found };
	const char *name = elf_file_alternate(debug, shared.build_id);
	int folder;

	if (!name || !*shared.build_id)
		return;
	for (size_t i = 0; options->symbol_dirs && options->symbol_dirs[i]; i++)
		try_stores(&shared, options->symbol_dirs[i]);
	folder = (int)(strrchr(debug->path, '/') - debug->path);
	if (*name == '/')
		consider_at(&shared, PROOF_NONE, 0, "%s%s", root, name);
	else
		consider_at(&shared, PROOF_NONE, 0, "%.*s/%s", folder,
			    debug->path, name);
	try_build_id(&shared, root, SYSTEM_DEBUG);
	search->files->alternate = found.debug;
	if (found.image != found.debug)
		elf_file_close(found.image);
}

/* Code that comes from no file: [vdso], [jit], "". */
static bool names_a_file(const char *path)
{
	return *path && *path != '[' && strncmp(path, "linux-vdso.so", 13) &&
	       path[strlen(path) - 1] != '/';
}

static bool start_search(struct search *search, const char *path,
			 const char *build_id)
{
	size_t length = strlen(path);

	if (length > strlen(DELETED) &&
	    !strcmp(path + length - strlen(DELETED), DELETED)) {
		search->path_is_gone = true;
		length -= strlen(DELETED);
	}
	search->path = strndup(path, length);
	/* It becomes part of paths and of a server's address. */
	if (strlen(build_id) < sizeof(search->build_id) &&
	    strspn(build_id, "0123456789abcdef") == strlen(build_id))
		strcpy(search->build_id, build_id);
	else
		strcpy(search->build_id, IMPOSSIBLE);
	return search->path;
}

enum module_state debug_files_find(struct debug_files *files,
				   const struct symbolizer_options *options,
				   const char *path, const char *build_id)
{
	struct search search = { .options = options, .files = files };

	*files = (struct debug_files){ 0 };
	if (!names_a_file(path) || !start_search(&search, path, build_id))
		return MODULE_NOT_FOUND;
	try_everywhere(&search);
	free(search.path);
	if (files->debug)
		find_alternate(&search);
	if (files->image || files->debug)
		return MODULE_FULL;
	if (search.other_build)
		return MODULE_OTHER_BUILD;
	return search.unreadable ? MODULE_UNREADABLE : MODULE_NOT_FOUND;
}

void debug_files_release_fds(struct debug_files *files)
{
	struct elf_file *const all[] = { files->image, files->debug,
					 files->alternate };

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (all[i])
			elf_file_release_fd(all[i]);
}

void debug_files_release(struct debug_files *files)
{
	if (files->debug != files->image)
		elf_file_close(files->debug);
	elf_file_close(files->image);
	elf_file_close(files->alternate);
	*files = (struct debug_files){ 0 };
}
