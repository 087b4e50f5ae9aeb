/*
 * A file's bytes, unpacked if it is gzip-compressed and as they are if not:
 * profiles come both ways.
 */
#ifndef DIFF_GUNZIP_H
#define DIFF_GUNZIP_H

#include "diff/error.h"

#include <stddef.h>
#include <stdint.h>

/* Refused beyond this, packed or unpacked: a gzip bomb, not a snapshot. */
#define GUNZIP_LIMIT ((size_t)512 << 20)

/* 0 or -1; the caller frees *data. Thread-safe. */
int gunzip_file(const char *path, uint8_t **data, size_t *size,
		struct error *error);

/* The same for bytes in memory; `name` is what the error calls them. */
int gunzip_bytes(const char *name, const uint8_t *packed, size_t packed_size,
		 uint8_t **data, size_t *size, struct error *error);

#endif
