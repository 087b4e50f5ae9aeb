/* Messages and untrusted text; see text.h. */
#include "scripts/control/text.h"

#include <stdarg.h>
#include <string.h>

void complain(const char *format, ...)
{
	char line[8192];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	fputs("leakagent: ", stderr);
	print_text(stderr, line, sizeof(line));
	fputc('\n', stderr);
}

/* U+0080..U+009F are control characters as well: 0xc2 and one of these. */
static int is_c1_control(const unsigned char *text, size_t left)
{
	return left >= 2 && text[0] == 0xc2 && text[1] >= 0x80 &&
	       text[1] < 0xa0;
}

void print_text(FILE *to, const char *text, size_t room)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t left;

	for (left = strnlen(text, room); left; left--, at++) {
		if (is_c1_control(at, left)) {
			fprintf(to, "\\x%02x\\x%02x", at[0], at[1]);
			at++;
			left--;
		} else if (*at < ' ' || *at == 0x7f) {
			fprintf(to, "\\x%02x", *at);
		} else {
			fputc(*at, to);
		}
	}
}
