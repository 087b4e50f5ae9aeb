/*
 * One pass over the name, which copies what stays. Brackets are skipped as a
 * whole; a name that is not what a demangler writes comes out shortened oddly,
 * but never longer and never unterminated.
 */
#include "diff/function_name.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct scan {
	const char *in;
	char *start, *out;
	bool after_operator; /* spaces no longer end a return type */
};

static bool starts(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static void copy(struct scan *scan, size_t length)
{
	memcpy(scan->out, scan->in, length);
	scan->out += length;
	scan->in += length;
}

/* Length of the bracketed text at `text`, or of all of it if unbalanced. */
static size_t bracketed(const char *text, char open, char close)
{
	size_t depth = 0;
	size_t i;

	for (i = 0; text[i]; i++) {
		if (text[i] == open)
			depth++;
		else if (text[i] == close && !(i && text[i - 1] == '-') &&
			 !--depth)
			return i + 1;
	}
	return i;
}

/* "operator" with a sign: its brackets open nothing. */
static void copy_operator(struct scan *scan)
{
	static const char *const signs[] = {"()", "<=>", "<<=", ">>=", "->*",
					    "<<", ">>",	 "<=",	">=",  "->",
					    "<",  ">",	 "[]"};

	scan->after_operator = true;
	copy(scan, strlen("operator"));
	for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++) {
		if (starts(scan->in, signs[i])) {
			copy(scan, strlen(signs[i]));
			/* "operator<< <char>" */
			if (starts(scan->in, " <"))
				scan->in++;
			return;
		}
	}
}

static bool at_operator(const struct scan *scan, const char *name)
{
	char before = scan->in > name ? scan->in[-1] : ' ';
	char after;

	if (!starts(scan->in, "operator"))
		return false;
	after = scan->in[strlen("operator")];
	return !isalnum((unsigned char)before) && before != '_' &&
	       !isalnum((unsigned char)after) && after != '_';
}

static bool at_clone_suffix(const char *text)
{
	static const char *const suffixes[] = {".isra.", ".constprop.",
					       ".part.", ".cold",
					       ".llvm.", ".lto_priv."};

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		if (starts(text, suffixes[i]))
			return true;
	}
	return false;
}

static bool is_so_far(const struct scan *scan, const char *text)
{
	size_t length = strlen(text);

	return (size_t)(scan->out - scan->start) == length &&
	       !memcmp(scan->start, text, length);
}

/* Returns false at the end of what matters. */
static bool step_over_parameters(struct scan *scan, const char *name)
{
	size_t length = bracketed(scan->in, '(', ')');

	/* "(anonymous namespace)", and "(*conn)" of Go's methods */
	if (starts(scan->in, "(anonymous ") ||
	    (scan->in > name && scan->in[-1] == '.')) {
		copy(scan, length);
		return true;
	}
	scan->in += length;
	/* "decltype (x) name(int)": the name is still to come */
	if (is_so_far(scan, "") || is_so_far(scan, "decltype"))
		return true;
	/* what is local to a function goes on after its parameters */
	if (starts(scan->in, " const::"))
		scan->in += strlen(" const");
	return starts(scan->in, "::");
}

static bool step(struct scan *scan, const char *name)
{
	if (at_operator(scan, name)) {
		copy_operator(scan);
		return true;
	}
	switch (*scan->in) {
	case '\0':
		return false;
	case '(':
		return step_over_parameters(scan, name);
	case '<':
		/* Rust: "<Type as Trait>::method" */
		if (scan->in == name)
			copy(scan, bracketed(scan->in, '<', '>'));
		else
			scan->in += bracketed(scan->in, '<', '>');
		return true;
	case '[':
		/* A marker frame: "[untracked stacks]" */
		copy(scan, scan->in == name ? bracketed(name, '[', ']') : 1);
		return true;
	case '{':
		copy(scan, bracketed(scan->in, '{', '}'));
		return true;
	case '.':
		if (at_clone_suffix(scan->in))
			return false;
		break;
	case ' ':
		if (scan->in[1] == '[')
			return false;
		if (!scan->after_operator) {
			scan->in++;
			scan->out = scan->start;
			return true;
		}
		break;
	default:
		break;
	}
	copy(scan, 1);
	return true;
}

void function_name_simplify(const char *name, char *simple)
{
	struct scan scan = {.in = name, .start = simple, .out = simple};

	while (step(&scan, name))
		;
	*scan.out = '\0';
	if (scan.out == simple)
		strcpy(simple, name);
}
