/*
 * Escaping for JSON; its punctuation is written by report_json.c.
 */
#include "diff/json.h"

#include "agent/format/plain_text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static void put_character(FILE *out, const char *text, size_t length,
			  uint32_t character)
{
	switch (*text) {
	case '"':
	case '\\':
		putc_unlocked('\\', out);
		putc_unlocked(*text, out);
		return;
	case '\n':
		fputs("\\n", out);
		return;
	case '\t':
		fputs("\\t", out);
		return;
	default:
		break;
	}
	/* Not for JSON's sake but for that of whoever looks at it. */
	if (!la_is_plain(character)) {
		fprintf(out, "\\u%04" PRIx32, character);
		return;
	}
	for (size_t i = 0; i < length; i++)
		putc_unlocked(text[i], out);
}

void json_text(FILE *out, const char *text)
{
	size_t left = text ? strlen(text) : 0, length;
	uint32_t character;

	if (!left) {
		fputs("null", out);
		return;
	}
	putc_unlocked('"', out);
	while (left) {
		length = la_utf8_next(text, left, &character);
		if (length)
			put_character(out, text, length, character);
		else
			fputs("\xef\xbf\xbd", out);
		length = length ? length : 1;
		text += length;
		left -= length;
	}
	putc_unlocked('"', out);
}

void json_double(FILE *out, double number)
{
	if (isfinite(number))
		fprintf(out, "%.17g", number);
	else
		fputs("null", out);
}
