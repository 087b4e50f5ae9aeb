/*
 * Hostile ELF and DWARF: each input is a module, asked for addresses all over
 * the start of its file. Nothing that it names outside itself exists.
 */
#define _GNU_SOURCE /* memfd_create */
#include "diff/symbolize.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Small steps: functions in the corpus are tens of bytes long. */
#define STEP 7
#define FARTHEST 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct source_frame *frames, size_t count)
{
	size_t length = 0;

	for (size_t i = 0; i < count; i++) {
		length += frames[i].function ? strlen(frames[i].function) : 0;
		length += frames[i].file ? strlen(frames[i].file) : 0;
	}
	if (count && frames[count - 1].inlined)
		abort();
	/* Keeps the loop from being optimised away. */
	if (length == SIZE_MAX)
		abort();
}

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
	for (size_t at = 0; at < size && at < FARTHEST; at += STEP) {
		const struct source_frame *frames;
		size_t count = symbolize(module, at, &frames);

		check(frames, count);
	}
	symbol_module_state(module);
	symbolizer_free(symbolizer);
	close(fd);
	return 0;
}
