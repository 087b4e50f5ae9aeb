/*
 * Escaping for JSON; its punctuation is written by report_json.c.
 */
#include "diff/json.h"

#include "diff/utf8.h"

#include <math.h>

static void put_character(FILE *out, const char *text, size_t length)
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
	if ((unsigned char)*text < ' ' || *text == 0x7f) {
		fprintf(out, "\\u%04x", (unsigned int)*text);
		return;
	}
	for (size_t i = 0; i < length; i++)
		putc_unlocked(text[i], out);
}

void json_text(FILE *out, const char *text)
{
	uint32_t character;
	size_t length;

	if (!text || !*text) {
		fputs("null", out);
		return;
	}
	putc_unlocked('"', out);
	while (*text) {
		length = utf8_next(text, &character);
		if (length)
			put_character(out, text, length);
		else
			fputs("\xef\xbf\xbd", out);
		text += length ? length : 1;
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
