/*
 * Hostile ELF and DWARF: each input is a module, asked for addresses all over
 * the start of its file. Nothing that it names outside itself exists.
 */
#define _GNU_SOURCE /* memfd_create */
#include "tests/fuzz/frames.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Small steps: functions in the corpus are tens of bytes long. */
#define STEP 7

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct symbolizer_options options = { 0 };
	struct symbolizer *symbolizer = symbolizer_new(&options);
	int fd = memfd_create("module", MFD_CLOEXEC);
	struct symbol_module *module;
	char path[64];

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	module = symbolizer_module(symbolizer, path, NULL);
	ask_all_over(module, size, STEP);
	symbolizer_free(symbolizer);
	close(fd);
	return 0;
}
