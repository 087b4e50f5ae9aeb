/*
 * Reads sizes; text.c writes them.
 */
#include "diff/size.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The exponent of 1024, or -1; *text moves behind the letter. */
static int parse_letter(const char **text)
{
	static const char letters[] = "kmgt";
	const char *found;

	if (!**text)
		return 0;
	found = strchr(letters, tolower((unsigned char)**text));
	if (!found)
		return **text == 'B' ? 0 : -1;
	(*text)++;
	return (int)(found - letters) + 1;
}

bool size_parse(const char *text, int64_t *size)
{
	long long number;
	int exponent;
	char *end;
	const char *rest;

	/* strtoll would take blanks and signs */
	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno)
		return false;
	rest = end;
	exponent = parse_letter(&rest);
	if (exponent < 0)
		return false;
	if (strcmp(rest, "") != 0 && strcmp(rest, "B") != 0 &&
	    (strcmp(rest, "iB") != 0 || !exponent))
		return false;
	return !__builtin_mul_overflow(number, INT64_C(1) << 10 * exponent,
				       size);
}
