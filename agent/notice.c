/* See notice.h. */

#include "agent/notice.h"

#include "agent/system.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void la_notice(const char *format, ...)
{
	char line[1024] = "leakagent: ";
	size_t used = 11;
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(line + used, sizeof(line) - used - 1, format,
			       arguments);
	va_end(arguments);
	if (length < 0)
		return;
	used += (size_t)length;
	if (used > sizeof(line) - 2)
		used = sizeof(line) - 2;
	line[used++] = '\n';
	la_sys_write(STDERR_FILENO, line, used);
}
