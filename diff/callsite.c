/*
 * Callsites, cached by frame: few frames begin many stacks.
 */
#include "diff/callsite.h"

#include "agent/format/keys.h"
#include "diff/function_name.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_NOT_TRIED, FIRST_NONE, FIRST_BASE };

const struct source_frame *resolver_source(struct resolver *resolver,
					   uint32_t frame, uint32_t *count)
{
	return source_of(resolver->stacks, resolver->symbolizer, frame, count);
}

const char *resolver_module_name(const struct resolver *resolver,
				 uint32_t frame)
{
	uint32_t module = resolver->stacks->frames[frame].module;

	if (module == STACKS_NO_MODULE)
		return "";
	return resolver->stacks->modules[module].name;
}

bool callsite_passes_over(const struct resolver *resolver, uint32_t frame,
			  const struct source_frame *source)
{
	const char *module = resolver_module_name(resolver, frame);
	char small[512];
	char *simple = small;
	bool result;
	size_t size;

	if (!source->function)
		return wrappers_match(&resolver->wrappers, NULL, module);
	/* An unknown caller is nobody's callsite. */
	if (!strcmp(source->function, LA_FRAME_TRUNCATED))
		return true;
	size = strlen(source->function) + 1;
	if (size > sizeof(small))
		simple = memory_resize(NULL, size, 1);
	function_name_simplify(source->function, simple);
	result = wrappers_match(&resolver->wrappers, simple, module);
	if (simple != small)
		free(simple);
	return result;
}

static uint32_t find_first(struct resolver *resolver, uint32_t frame)
{
	const char *module = resolver_module_name(resolver, frame);
	const struct source_frame *sources;
	uint32_t count;

	/* A module that is passed over as a whole needs no symbols. */
	if (!resolver->wrappers.has_exceptions &&
	    wrappers_match(&resolver->wrappers, NULL, module))
		return FIRST_NONE;
	sources = resolver_source(resolver, frame, &count);
	for (uint32_t i = 0; i < count; i++) {
		if (!callsite_passes_over(resolver, frame, &sources[i]))
			return FIRST_BASE + i;
	}
	return FIRST_NONE;
}

static uint32_t first_of(struct resolver *resolver, uint32_t frame)
{
	size_t count = resolver->stacks->frame_count;

	if (resolver->first_count < count) {
		resolver->first_of =
			memory_resize(resolver->first_of, count,
				      sizeof(*resolver->first_of));
		memset(resolver->first_of + resolver->first_count, 0,
		       (count - resolver->first_count) *
			       sizeof(*resolver->first_of));
		resolver->first_count = count;
	}
	if (resolver->first_of[frame] == FIRST_NOT_TRIED)
		resolver->first_of[frame] = find_first(resolver, frame);
	return resolver->first_of[frame];
}

struct place callsite_of(struct resolver *resolver, const struct stack *stack)
{
	for (uint32_t i = 0; i < stack->depth; i++) {
		uint32_t first = first_of(resolver, stack->frames[i]);

		if (first != FIRST_NONE)
			return (struct place){i, first - FIRST_BASE};
	}
	return (struct place){0, 0};
}

void resolver_free(struct resolver *resolver)
{
	wrappers_free(&resolver->wrappers);
	free(resolver->first_of);
	resolver->first_of = NULL;
	resolver->first_count = 0;
}
