/*
 * The layer beneath the loader: what it unpacks is within its limit, and all
 * of that can be read.
 */
#include "diff/gunzip.h"

#include <stdlib.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error error = {""};
	uint8_t *unpacked = NULL;
	size_t unpacked_size = 0;

	if (gunzip_bytes("fuzzed", data, size, &unpacked, &unpacked_size,
			 &error)) {
		if (!*error.text || unpacked)
			abort();
		return 0;
	}
	if (unpacked_size > GUNZIP_LIMIT)
		abort();
	/* Reads all of it. */
	if (crc32(0, unpacked, (uInt)unpacked_size) > UINT32_MAX)
		abort();
	free(unpacked);
	return 0;
}
