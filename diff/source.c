/*
 * Where frames and symbols meet. The symbolizer itself is in symbolize.c.
 */
#include "diff/source.h"

static struct symbol_module *open_module(struct symbolizer *symbolizer,
					 struct module *module)
{
	if (!module->symbols)
		module->symbols = symbolizer_module(symbolizer, module->path,
						    module->build_id);
	return module->symbols;
}

/* Copies, because only interned strings can be compared by pointer. */
static void keep(struct stacks *stacks, struct frame *frame,
		 const struct source_frame *found, size_t count)
{
	struct strings *strings = &stacks->strings;
	struct source_frame *sources =
		arena_alloc(&stacks->arena, count * sizeof(*sources));

	for (size_t i = 0; i < count; i++) {
		sources[i] = found[i];
		if (found[i].function)
			sources[i].function =
				strings_intern(strings, found[i].function);
		if (found[i].file)
			sources[i].file = strings_intern(strings,
							 found[i].file);
	}
	frame->sources = sources;
	frame->source_count = (uint32_t)count;
}

static void resolve(struct stacks *stacks, struct symbolizer *symbolizer,
		    struct frame *frame)
{
	static const struct source_frame unknown;
	const struct source_frame *found;
	struct symbol_module *symbols = NULL;
	size_t count = 0;

	frame->resolved = true;
	if (frame->module != STACKS_NO_MODULE)
		symbols = open_module(symbolizer,
				      &stacks->modules[frame->module]);
	if (symbols)
		count = symbolize(symbols, frame->offset, &found);
	if (count) {
		keep(stacks, frame, found, count);
	} else {
		frame->sources = &unknown;
		frame->source_count = 1;
	}
}

const struct source_frame *source_of(struct stacks *stacks,
				     struct symbolizer *symbolizer,
				     uint32_t number, uint32_t *count)
{
	struct frame *frame = &stacks->frames[number];

	if (!frame->resolved)
		resolve(stacks, symbolizer, frame);
	*count = frame->source_count;
	return frame->sources;
}
