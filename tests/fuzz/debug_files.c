/*
 * A program whose debug information lies in files of its own: each input is
 * the program, its debug file, what that shares with others (dwz), and what it
 * took out of itself (split DWARF). They lie in one folder.
 */
#define _GNU_SOURCE /* memfd_create */
#include "tests/fuzz/frames.h"
#include "tests/fuzz/inputs.h"

/* Small steps: functions in the corpus are tens of bytes long. */
#define STEP 13

#define FILES 4

static const char *const names[FILES] = {"program", "program.debug",
					 "shared", "chain.dwo"};

static char folder[128];

static const char *path_of(const char *name)
{
	static char path[sizeof(folder) + 32];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void remove_folder(void)
{
	for (size_t i = 0; i < FILES; i++)
		unlink(path_of(names[i]));
	rmdir(folder);
}

static void make_folder(void)
{
	const char *temporary = getenv("TMPDIR");

	if (*folder)
		return;
	snprintf(folder, sizeof(folder), "%s/leakdiff-fuzz-XXXXXX",
		 temporary ? temporary : "/tmp");
	if (!mkdtemp(folder))
		abort();
	atexit(remove_folder);
}

/* Of nothing, there is no file. */
static void write_file(const char *name, struct input contents)
{
	int fd;

	unlink(path_of(name));
	if (!contents.size)
		return;
	fd = open(path_of(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		  0600);
	if (fd < 0 || write(fd, contents.data, contents.size) !=
			      (ssize_t)contents.size)
		abort();
	close(fd);
}

static void ask(size_t size)
{
	const char *const folders[] = {folder, NULL};
	const struct symbolizer_options options = {
		.symbol_dirs = folders,
		.sysroot = "/nonexistent",
	};
	struct symbolizer *symbolizer = symbolizer_new(&options);
	struct symbol_module *module =
		symbolizer_module(symbolizer, "/opt/program", NULL);

	ask_all_over(module, size, STEP);
	symbolizer_free(symbolizer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input parts[FILES];

	make_folder();
	input_split((struct input){data, size}, parts, FILES);
	for (size_t i = 0; i < FILES; i++)
		write_file(names[i], parts[i]);
	ask(size);
	return 0;
}
