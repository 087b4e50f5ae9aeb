/*
 * What must hold of whatever is printed: it is UTF-8, and nothing in it commands
 * or confuses a terminal.
 */
#ifndef FUZZ_PLAIN_H
#define FUZZ_PLAIN_H

#include "agent/format/plain_text.h"

#include <stdlib.h>

/* Written out once more, so as not to believe what it checks. */
static inline bool is_plain(uint32_t character)
{
	return character == '\n' ||
	       (character >= 0x20 && character < 0x7f) ||
	       (character >= 0xa0 && character < 0x200b) ||
	       (character > 0x200f && character < 0x2028) ||
	       (character > 0x202e && character < 0x2066) ||
	       character > 0x2069;
}

static inline void check_plain(const char *text, size_t size)
{
	const char *end = text + size;

	while (text < end) {
		uint32_t character;
		size_t length = la_utf8_next(text, (size_t)(end - text),
					     &character);

		if (!length || !is_plain(character))
			abort();
		text += length;
	}
}

#endif
