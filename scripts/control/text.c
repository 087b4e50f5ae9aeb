/* Messages and untrusted text; see text.h. */
#include "scripts/control/text.h"

#include "agent/format/plain_text.h"

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

void print_text(FILE *to, const char *text, size_t room)
{
	size_t left, taken;

	for (left = strnlen(text, room); left; left -= taken, text += taken) {
		size_t length = la_plain_next(text, left);

		taken = length ? length : 1;
		if (length)
			fwrite(text, 1, length, to);
		else
			fprintf(to, "\\x%02x", (unsigned char)*text);
	}
}
