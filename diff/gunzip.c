/*
 * Reads and unpacks whole files: profiles are parsed from memory.
 */
#include "diff/gunzip.h"

#include "diff/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* zlib: 15 bits of window, gzip header and trailer. */
#define GZIP_WINDOW (15 + 16)

static int too_large(const char *name, struct error *error)
{
	return error_set(error,
			 "%s: more than %zu MiB when unpacked: not a snapshot",
			 name, GUNZIP_LIMIT >> 20);
}

static int read_all(int fd, const char *path, uint8_t **data, size_t *size,
		    struct error *error)
{
	size_t capacity = 0;
	struct stat status;
	ssize_t got;

	*data = NULL;
	*size = 0;
	/* One byte more than the file has lets the last read see its end. */
	if (!fstat(fd, &status) && S_ISREG(status.st_mode) &&
	    status.st_size < (off_t)GUNZIP_LIMIT)
		capacity = (size_t)status.st_size + 1;
	else
		capacity = 1 << 16;
	*data = memory_resize(NULL, capacity, 1);
	for (;;) {
		*data = memory_extend(*data, *size, &capacity, 1);
		got = read(fd, *data + *size, capacity - *size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set(error, "%s: cannot read it: %s", path,
					 strerror(errno));
		if (!got)
			return 0;
		*size += (size_t)got;
		if (*size > GUNZIP_LIMIT)
			return too_large(path, error);
	}
}

/* One step of zlib's; *capacity of *data grows up to the limit. */
static int inflate_more(z_stream *stream, const char *name, uint8_t **data,
			size_t *size, size_t *capacity, struct error *error)
{
	int status;

	if (*size == *capacity) {
		if (*capacity >= GUNZIP_LIMIT)
			return too_large(name, error);
		*capacity *= 2;
		if (*capacity > GUNZIP_LIMIT)
			*capacity = GUNZIP_LIMIT;
		*data = memory_resize(*data, *capacity, 1);
	}
	stream->next_out = *data + *size;
	stream->avail_out = (uInt)(*capacity - *size);
	status = inflate(stream, Z_NO_FLUSH);
	*size = *capacity - stream->avail_out;
	switch (status) {
	case Z_OK:
	case Z_STREAM_END:
		return status;
	case Z_BUF_ERROR:
		if (!stream->avail_out)
			return Z_OK;
		return error_set(error, "%s: truncated gzip file", name);
	default:
		return error_set(error, "%s: damaged gzip file: %s", name,
				 stream->msg ? stream->msg : "bad data");
	}
}

static int inflate_all(z_stream *stream, const char *name, uint8_t **data,
		       size_t *size, size_t *capacity, struct error *error)
{
	int status;

	do {
		status = inflate_more(stream, name, data, size, capacity,
				      error);
		if (status < 0)
			return -1;
		/* gzip files may consist of several such streams. */
		if (status == Z_STREAM_END && stream->avail_in) {
			inflateReset(stream);
			status = Z_OK;
		}
	} while (status != Z_STREAM_END);
	return 0;
}

int gunzip_bytes(const char *name, const uint8_t *packed, size_t packed_size,
		 uint8_t **data, size_t *size, struct error *error)
{
	bool gzipped = packed_size >= 2 && packed[0] == 0x1f &&
		       packed[1] == 0x8b;
	z_stream stream = {.next_in = (uint8_t *)packed,
			   .avail_in = (uInt)packed_size};
	size_t capacity = packed_size * 4 + 4096;
	int result;

	*data = NULL;
	*size = 0;
	if (!packed_size)
		return error_set(error, "%s: empty file", name);
	if (!gzipped) {
		*data = memory_resize(NULL, packed_size, 1);
		memcpy(*data, packed, packed_size);
		*size = packed_size;
		return 0;
	}
	if (inflateInit2(&stream, GZIP_WINDOW) != Z_OK)
		return error_set(error, "%s: zlib cannot start", name);
	if (capacity > GUNZIP_LIMIT)
		capacity = GUNZIP_LIMIT;
	*data = memory_resize(NULL, capacity, 1);
	result = inflate_all(&stream, name, data, size, &capacity, error);
	inflateEnd(&stream);
	if (result) {
		free(*data);
		*data = NULL;
	}
	return result;
}

int gunzip_file(const char *path, uint8_t **data, size_t *size,
		struct error *error)
{
	uint8_t *packed = NULL;
	size_t packed_size;
	int result;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_set(error, "%s: cannot open it: %s", path,
				 strerror(errno));
	result = read_all(fd, path, &packed, &packed_size, error);
	close(fd);
	if (!result)
		result = gunzip_bytes(path, packed, packed_size, data, size,
				      error);
	free(packed);
	return result;
}
