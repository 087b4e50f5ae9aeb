/*
 * UTF-8, one character at a time.
 */
#ifndef DIFF_UTF8_H
#define DIFF_UTF8_H

#include <stddef.h>
#include <stdint.h>

/*
 * Length in bytes of the character at `text`, which is not at its NUL, and
 * what it is; 0 when the bytes there are not UTF-8.
 */
size_t utf8_next(const char *text, uint32_t *character);

#endif
