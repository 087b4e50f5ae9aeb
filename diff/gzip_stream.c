/*
 * Packs from memory into a stream.
 */
#include "diff/gzip_stream.h"

#include "diff/memory.h"

#include <zlib.h>

#define GZIP_WINDOW (15 + 16)
#define MEMORY_LEVEL 8
#define CHUNK (1U << 16)
#define INPUT_MAXIMUM ((size_t)1 << 30)

void gzip_stream_write(FILE *out, const uint8_t *bytes, size_t size)
{
	z_stream stream = {.next_in = (uint8_t *)bytes};
	static uint8_t chunk[CHUNK];
	int status;

	if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
			 GZIP_WINDOW, MEMORY_LEVEL,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		memory_exhausted();
	do {
		size_t part = size < INPUT_MAXIMUM ? size : INPUT_MAXIMUM;

		if (!stream.avail_in) {
			stream.avail_in = (uInt)part;
			size -= part;
		}
		stream.next_out = chunk;
		stream.avail_out = CHUNK;
		status = deflate(&stream, size ? Z_NO_FLUSH : Z_FINISH);
		fwrite(chunk, 1, CHUNK - stream.avail_out, out);
	} while (status != Z_STREAM_END);
	deflateEnd(&stream);
}
