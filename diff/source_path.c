/* One pass over the path's components, writing over what "x/.." undoes. */
#define _GNU_SOURCE /* memrchr */
#include "diff/source_path.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

/* The place before the last component of `path`, or NULL if that must stay. */
static char *before_last(char *path, char *end)
{
	char *slash = memrchr(path, '/', (size_t)(end - path));
	const char *last = slash ? slash + 1 : path;

	if (end == path || (end - last == 2 && !memcmp(last, "..", 2)))
		return NULL;
	return slash ? slash : path;
}

static void tidy(char *path)
{
	bool absolute = *path == '/';
	char *end = path; /* of what is written; a slash follows if needed */
	const char *in = path;

	while (*in) {
		size_t length = strcspn(in, "/");
		const char *next = in + length + (in[length] == '/');
		char *undone = NULL;
		bool up = length == 2 && !memcmp(in, "..", 2);

		if (up)
			undone = before_last(path, end);
		if (undone) {
			end = undone;
		} else if (length && !(length == 1 && *in == '.') &&
			   !(up && absolute && end == path)) {
			if (absolute || end != path)
				*end++ = '/';
			memmove(end, in, length);
			end += length;
		}
		in = next;
	}
	if (absolute && end == path)
		*end++ = '/';
	*end = '\0';
}

const char *source_path(struct symbol_arena *arena, const char *directory,
			const char *name)
{
	size_t head = directory && *name != '/' ? strlen(directory) : 0;
	size_t length = strlen(name);
	char *path;
	char *at;

	/* One long string must not be copied for each of many files. */
	if (head + length > PATH_MAX)
		return name;
	at = path = symbol_arena_alloc(arena, head + length + 2);
	if (!path)
		return NULL;
	if (head) {
		at = mempcpy(at, directory, head);
		*at++ = '/';
	}
	memcpy(at, name, length + 1);
	tidy(path);
	return path;
}
