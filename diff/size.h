/*
 * Sizes as people write them: a number, and k, M, G or T for powers of 1024.
 */
#ifndef DIFF_SIZE_H
#define DIFF_SIZE_H

#include <stdbool.h>
#include <stdint.h>

/* False when the text is no size, is negative or does not fit. */
bool size_parse(const char *text, int64_t *size);

#endif
