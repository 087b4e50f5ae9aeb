/*
 * Patterns are tried once for each frame, not for each stack.
 */
#include "diff/focus.h"

#include <stdlib.h>
#include <string.h>

enum { SEEN = 1, FOCUSED = 2, IGNORED = 4 };

static int compile(regex_t *regex, const char *option, const char *pattern,
		   struct error *error)
{
	char reason[256];
	int status = regcomp(regex, pattern, REG_EXTENDED | REG_NOSUB);

	if (!status)
		return 0;
	regerror(status, regex, reason, sizeof(reason));
	return error_set(error, "%s %s: not a regular expression: %s", option,
			 pattern, reason);
}

int focus_compile(struct focus *focus, const char *focus_pattern,
		  const char *ignore_pattern, struct error *error)
{
	memset(focus, 0, sizeof(*focus));
	if (focus_pattern) {
		if (compile(&focus->focus, "--focus", focus_pattern, error))
			return -1;
		focus->has_focus = true;
	}
	if (ignore_pattern) {
		if (compile(&focus->ignore, "--ignore", ignore_pattern, error))
			return -1;
		focus->has_ignore = true;
	}
	return 0;
}

static bool matches(const regex_t *regex, const char *text)
{
	return text && *text && !regexec(regex, text, 0, NULL, 0);
}

static bool frame_matches(const regex_t *regex, struct resolver *resolver,
			  uint32_t frame)
{
	uint32_t module = resolver->stacks->frames[frame].module;
	const struct source_frame *sources;
	uint32_t count;

	if (module != STACKS_NO_MODULE &&
	    matches(regex, resolver->stacks->modules[module].path))
		return true;
	sources = resolver_source(resolver, frame, &count);
	for (uint32_t i = 0; i < count; i++) {
		if (matches(regex, sources[i].function) ||
		    matches(regex, sources[i].file))
			return true;
	}
	return false;
}

static uint8_t look_at(struct focus *focus, struct resolver *resolver,
		       uint32_t frame)
{
	uint8_t *seen = &focus->seen[frame];

	if (*seen)
		return *seen;
	*seen = SEEN;
	if (focus->has_focus &&
	    frame_matches(&focus->focus, resolver, frame))
		*seen |= FOCUSED;
	if (focus->has_ignore &&
	    frame_matches(&focus->ignore, resolver, frame))
		*seen |= IGNORED;
	return *seen;
}

bool focus_accepts(struct focus *focus, struct resolver *resolver,
		   const struct stack *stack)
{
	uint8_t found = 0;

	if (!focus->has_focus && !focus->has_ignore)
		return true;
	if (!focus->seen)
		focus->seen = memory_alloc(resolver->stacks->frame_count, 1);
	for (uint32_t i = 0; i < stack->depth; i++)
		found |= look_at(focus, resolver, stack->frames[i]);
	if (found & IGNORED)
		return false;
	return !focus->has_focus || found & FOCUSED;
}

void focus_free(struct focus *focus)
{
	if (focus->has_focus)
		regfree(&focus->focus);
	if (focus->has_ignore)
		regfree(&focus->ignore);
	free(focus->seen);
	memset(focus, 0, sizeof(*focus));
}
