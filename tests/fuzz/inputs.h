/*
 * An input that stands for several files. They are files in memory, whose
 * paths begin with INPUT_FOLDER.
 *
 * Where one file ends and the next begins is told by the input's last bytes,
 * two for each file but the last, so that what is inserted into one leaves the
 * others as they are.
 */
#ifndef FUZZ_INPUTS_H
#define FUZZ_INPUTS_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define INPUT_FOLDER "/proc/self/fd"
#define INPUT_PATH_SIZE 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t size;
};

static inline uint8_t input_last_byte(struct input *input)
{
	return input->size ? input->data[--input->size] : 0;
}

/* Takes a part off the front; any length that is told is one that it has. */
static inline struct input input_part(struct input *input, size_t told)
{
	struct input part = { input->data, told % (input->size + 1) };

	input->data += part.size;
	input->size -= part.size;
	return part;
}

/* The input's parts, the last of which is what remains. */
static inline void input_split(struct input input, struct input *parts,
			       size_t count)
{
	size_t told[8];

	for (size_t i = 0; i + 1 < count; i++) {
		told[i] = input_last_byte(&input);
		told[i] |= (size_t)input_last_byte(&input) << 8;
	}
	for (size_t i = 0; i + 1 < count; i++)
		parts[i] = input_part(&input, told[i]);
	parts[count - 1] = input;
}

/* Returns a descriptor for it. */
static inline int input_file(struct input contents, char path[INPUT_PATH_SIZE])
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	if (fd < 0 || write(fd, contents.data, contents.size) !=
			      (ssize_t)contents.size)
		abort();
	snprintf(path, INPUT_PATH_SIZE, INPUT_FOLDER "/%d", fd);
	return fd;
}

#endif
