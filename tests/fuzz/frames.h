/* What must hold of the frames that symbolizing yields, wherever one asks. */
#ifndef FUZZ_FRAMES_H
#define FUZZ_FRAMES_H

#include "diff/symbolize.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FARTHEST 8192

static inline void check_frames(const struct source_frame *frames,
				size_t count)
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

/* All over the start of the module's file, which has that size. */
static inline void ask_all_over(struct symbol_module *module, size_t size,
				size_t step)
{
	for (size_t at = 0; at < size && at < FARTHEST; at += step) {
		const struct source_frame *frames;
		size_t count = symbolize(module, at, &frames);

		check_frames(frames, count);
	}
	symbol_module_state(module);
}

#endif
