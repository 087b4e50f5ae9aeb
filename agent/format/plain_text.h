/*
 * Which foreign text may be shown as it is: UTF-8 without the characters that
 * command a terminal (C0, C1) or that hide, join or reorder what stands around
 * them. The agent's messages, leakagent and leakdiff spell the rest out, byte by
 * byte as \xHH, or as their format has it.
 *
 * Works on memory alone: any thread, any time.
 */
#ifndef LA_FORMAT_PLAIN_TEXT_H
#define LA_FORMAT_PLAIN_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What one byte is spelt out as, at most. */
#define LA_SPELT_BYTES 4

/*
 * Length of the UTF-8 character at `text`, and what it is; 0 when the bytes
 * there, `left` of them, are none. Strict: no overlong forms, no surrogates,
 * nothing beyond U+10FFFF.
 */
static inline size_t la_utf8_next(const char *text, size_t left,
				  uint32_t *character)
{
	/* The smallest character that needs so many bytes. */
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *bytes = (const unsigned char *)text;
	size_t length;

	if (!left)
		return 0;
	if (bytes[0] < 0x80) {
		*character = bytes[0];
		return 1;
	}
	if (bytes[0] < 0xc2 || bytes[0] > 0xf4)
		return 0;
	length = bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
	if (length > left)
		return 0;
	*character = bytes[0] & (0x7fU >> length);
	for (size_t i = 1; i < length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		*character = *character << 6 | (bytes[i] & 0x3f);
	}
	if (*character < smallest[length] || *character > 0x10ffff ||
	    (*character >= 0xd800 && *character < 0xe000))
		return 0;
	return length;
}

static inline bool la_is_plain(uint32_t character)
{
	static const struct {
		uint32_t first, last;
	} others[] = {
		{0x0000, 0x001f}, {0x007f, 0x009f}, {0x061c, 0x061c},
		{0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},
		{0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb},
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (character >= others[i].first && character <= others[i].last)
			return false;
	return true;
}

/* Length of the plain character at `text`; 0: its first byte is to be spelt. */
static inline size_t la_plain_next(const char *text, size_t left)
{
	uint32_t character;
	size_t length = la_utf8_next(text, left, &character);

	return length && la_is_plain(character) ? length : 0;
}

/*
 * Copies `size` bytes of text, spelt out where they are not plain, and ends
 * them with a NUL; what does not fit into `room` bytes (at least 1) is left
 * out. Returns the length.
 */
static inline size_t la_plain_copy(char *to, size_t room, const char *text,
				   size_t size)
{
	static const char digits[] = "0123456789abcdef";
	size_t used = 0, taken;

	for (; size; text += taken, size -= taken) {
		size_t length = la_plain_next(text, size);
		unsigned char byte = (unsigned char)*text;
		const char spelt[LA_SPELT_BYTES] = {
			'\\', 'x', digits[byte >> 4], digits[byte & 15]};

		taken = length ? length : 1;
		if (!length)
			length = LA_SPELT_BYTES;
		if (used + length >= room)
			break;
		memcpy(to + used, length == taken ? text : spelt, length);
		used += length;
	}
	to[used] = '\0';
	return used;
}

#endif
