/*
 * libiberty does the work. It bounds neither what it prints (a few hundred
 * bytes of back references can stand for terabytes) nor, without its own
 * limit, how deep it recurses; both bounds are here.
 */
#define _GNU_SOURCE /* memmem */
#include "diff/demangle.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Longer names end in "...". */
#define LONGEST_NAME ((size_t)16 * 1024)

/*
 * libiberty refuses names of more than 1,024 bytes by default, which C++
 * templates exceed; up to this length its stack use stays within a few MiB.
 */
#define LONGEST_MANGLED ((size_t)8 * 1024)

struct output {
	char *text;
	size_t length;
	size_t capacity;
	bool failed; /* out of memory */
	jmp_buf full;
};

static bool reserve(struct output *out, size_t length)
{
	size_t capacity = out->capacity ? out->capacity : 256;
	char *text;

	while (capacity < length)
		capacity *= 2;
	if (capacity == out->capacity)
		return true;
	text = realloc(out->text, capacity);
	if (!text)
		return false;
	out->text = text;
	out->capacity = capacity;
	return true;
}

static void append(const char *text, size_t length, void *opaque)
{
	struct output *out = opaque;
	size_t room = LONGEST_NAME - out->length;

	/* Of no text, there may be no address. */
	if (!length)
		return;
	if (!reserve(out, out->length + length)) {
		out->failed = true;
		longjmp(out->full, 1);
	}
	memcpy(out->text + out->length, text, length < room ? length : room);
	if (length > room) {
		memcpy(out->text + LONGEST_NAME - 3, "...", 3);
		out->length = LONGEST_NAME;
		longjmp(out->full, 1);
	}
	out->length += length;
}

static int print(const char *mangled, int options, struct output *out)
{
	/*
	 * libiberty cannot be told to stop. Leaving it this way is sound: it
	 * keeps what it works on in its stack frames.
	 */
	if (setjmp(out->full))
		return !out->failed;
	if (rust_demangle_callback(mangled, options, append, out))
		return 1;
	out->length = 0;
	return cplus_demangle_v3_callback(mangled, options, append, out);
}

/* "f(int) [clone .cold]" is f(int) to whoever wrote it. */
static size_t without_clone(const char *text, size_t length)
{
	const char *clone = memmem(text, length, " [clone ", 8);

	return clone && text[length - 1] == ']' ? (size_t)(clone - text)
						: length;
}

const char *demangle(struct symbol_arena *arena, const char *mangled)
{
	int options = DMGL_PARAMS | DMGL_ANSI | DMGL_RET_DROP;
	size_t length = strlen(mangled);
	struct output out = { 0 };
	const char *name = NULL;

	if (length > LONGEST_MANGLED)
		return NULL;
	/* Anything else would be read as a type: "i" as int. */
	if (strncmp(mangled, "_Z", 2) && strncmp(mangled, "_R", 2))
		return NULL;
	if (2 * length >= DEMANGLE_RECURSION_LIMIT)
		options |= DMGL_NO_RECURSE_LIMIT;
	if (print(mangled, options, &out) && out.length)
		name = symbol_arena_text(arena, out.text,
					 without_clone(out.text, out.length));
	free(out.text);
	return name;
}
