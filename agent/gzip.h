/*
 * Bytes to a gzipped file, in memory of the agent's own. On the agent's thread.
 */
#ifndef LA_GZIP_H
#define LA_GZIP_H

#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

struct la_gzip {
	int error; /* the first one, -errno; afterwards nothing is done any more */
	int fd;
	z_stream deflate;
	char *arena; /* zlib's memory */
	size_t arena_used;
	uint8_t *out;
};

/* Close it also when it could not be opened: then `error` is set. */
void la_gzip_open(struct la_gzip *gzip, int fd);
void la_gzip_put(struct la_gzip *gzip, const uint8_t *data, size_t bytes);
void la_gzip_finish(struct la_gzip *gzip);
void la_gzip_close(struct la_gzip *gzip);

#endif
