/*
 * Every distinct string once, so that equal strings have equal pointers and a
 * small number each. Lives until the end of the program; one thread at a time.
 */
#ifndef DIFF_STRINGS_H
#define DIFF_STRINGS_H

#include "diff/hash_index.h"
#include "diff/memory.h"

struct strings {
	struct hash_index index;
	const char **texts;
	size_t count, capacity;
	struct arena arena;
};

/* The number of this text; the same for equal texts. */
uint32_t strings_number(struct strings *strings, const char *text);

const char *strings_text(const struct strings *strings, uint32_t number);

/* Both in one: a pointer that equal texts share. */
const char *strings_intern(struct strings *strings, const char *text);

void strings_free(struct strings *strings);

#endif
