/* See gzip.h. */

#include "agent/gzip.h"

#include "agent/memory.h"

#include <errno.h>
#include <unistd.h>

/* Fast: a snapshot competes with the host for processors. */
enum { COMPRESSION = 1, GZIP_WINDOW = 15 + 16, MEMORY_LEVEL = 8 };

/* What deflate with these takes is 268 KB: see zconf.h. */
enum { OUT_BYTES = 64 * 1024, ARENA_BYTES = 288 * 1024 };

static void *zlib_alloc(void *opaque, unsigned items, unsigned size)
{
	struct la_gzip *gzip = opaque;
	size_t bytes = ((size_t)items * size + 63) & ~(size_t)63;
	void *memory = gzip->arena + gzip->arena_used;

	if (bytes > ARENA_BYTES - gzip->arena_used)
		return Z_NULL;
	gzip->arena_used += bytes;
	return memory;
}

static void zlib_free(void *opaque, void *memory)
{
	(void)opaque, (void)memory;
}

static void write_out(struct la_gzip *gzip, size_t bytes)
{
	const uint8_t *at = gzip->out;

	while (bytes && !gzip->error) {
		ssize_t written = write(gzip->fd, at, bytes);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0) {
			gzip->error = written ? -errno : -EIO;
			return;
		}
		at += written;
		bytes -= (size_t)written;
	}
}

static void compress_bytes(struct la_gzip *gzip, const uint8_t *data,
			   size_t bytes, int flush)
{
	z_stream *stream = &gzip->deflate;
	int result = Z_OK;

	stream->next_in = (uint8_t *)data;
	stream->avail_in = (unsigned)bytes;
	do {
		stream->next_out = gzip->out;
		stream->avail_out = OUT_BYTES;
		result = deflate(stream, flush);
		write_out(gzip, OUT_BYTES - stream->avail_out);
	} while (!gzip->error && result == Z_OK &&
		 (stream->avail_in || !stream->avail_out ||
		  flush == Z_FINISH));
	if (!gzip->error && result != Z_OK && result != Z_STREAM_END &&
	    result != Z_BUF_ERROR)
		gzip->error = -EIO;
}

void la_gzip_put(struct la_gzip *gzip, const uint8_t *data, size_t bytes)
{
	if (!gzip->error)
		compress_bytes(gzip, data, bytes, Z_NO_FLUSH);
}

void la_gzip_finish(struct la_gzip *gzip)
{
	if (!gzip->error)
		compress_bytes(gzip, NULL, 0, Z_FINISH);
}

void la_gzip_open(struct la_gzip *gzip, int fd)
{
	*gzip = (struct la_gzip){
		.fd = fd,
		.out = la_memory_map_for(LA_MEMORY_SNAPSHOT, OUT_BYTES),
		.arena = la_memory_map_for(LA_MEMORY_SNAPSHOT, ARENA_BYTES),
		.deflate = { .zalloc = zlib_alloc, .zfree = zlib_free },
	};
	gzip->deflate.opaque = gzip;
	if (!gzip->out || !gzip->arena ||
	    deflateInit2(&gzip->deflate, COMPRESSION, Z_DEFLATED, GZIP_WINDOW,
			 MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		gzip->error = -ENOMEM;
}

void la_gzip_close(struct la_gzip *gzip)
{
	la_memory_unmap_for(LA_MEMORY_SNAPSHOT, gzip->out, OUT_BYTES);
	la_memory_unmap_for(LA_MEMORY_SNAPSHOT, gzip->arena, ARENA_BYTES);
}
