/* See notice.h. */

#include "agent/notice.h"

#include "agent/format/plain_text.h"
#include "agent/system.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 1024 };

void la_notice(const char *format, ...)
{
	static const char begin[] = "leakagent: ";
	char text[LINE_BYTES], line[sizeof(begin) + LINE_BYTES + 1];
	size_t used = sizeof(begin) - 1;
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	memcpy(line, begin, used);
	used += la_plain_copy(line + used, LINE_BYTES, text, strlen(text));
	line[used++] = '\n';
	la_sys_write(STDERR_FILENO, line, used);
}
