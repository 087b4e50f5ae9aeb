/*
 * Bytes into a stream, gzip-compressed.
 */
#ifndef DIFF_GZIP_STREAM_H
#define DIFF_GZIP_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Errors show in the stream's error flag. */
void gzip_stream_write(FILE *out, const uint8_t *bytes, size_t size);

#endif
