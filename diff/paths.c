/*
 * A path is what a stack has outside of its callsite, so that two calls of
 * malloc in one function, say, are one path.
 */
#include "diff/paths.h"

#include "diff/base_name.h"
#include "diff/function_name.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- which stacks are the same path ---- */

struct path_list {
	const struct report *report;
	struct path *paths;
	size_t count, capacity;
	struct hash_index index;
};

struct path_key {
	const struct path_list *list;
	const struct path *path;
};

bool paths_have_callsite(const struct report *report)
{
	const struct growth_options *options = &report->options->growth;

	return options->by != BY_STACK &&
	       (options->by != BY_CALLSITE || options->cumulative);
}

static const struct stack *stack_of(const struct report *report,
				    const struct path *path)
{
	return &report->resolver->stacks->stacks[path->stack];
}

/* The source frames of the frame in which the path starts that belong to it. */
static const struct source_frame *first_sources(const struct report *report,
						const struct path *path,
						uint32_t *count)
{
	const struct stack *stack = stack_of(report, path);
	const struct source_frame *sources;

	sources = resolver_source(report->resolver,
				  stack->frames[path->from.position], count);
	*count -= path->from.source;
	return sources + path->from.source;
}

static uint64_t hash_path(const struct report *report, const struct path *path)
{
	const struct stack *stack = stack_of(report, path);
	const struct source_frame *sources;
	uint64_t hash = 0;
	uint32_t count;

	if (!stack->depth)
		return 0;
	sources = first_sources(report, path, &count);
	for (uint32_t i = 0; i < count; i++)
		hash = hash_mix(hash, (uintptr_t)sources[i].function);
	for (uint32_t i = path->from.position + 1; i < stack->depth; i++)
		hash = hash_mix(hash, stack->frames[i]);
	return hash;
}

static bool same_path(const void *key, uint32_t item)
{
	const struct path_key *wanted = key;
	const struct report *report = wanted->list->report;
	const struct path *a = wanted->path;
	const struct path *b = &wanted->list->paths[item];
	const struct stack *x = stack_of(report, a);
	const struct stack *y = stack_of(report, b);
	uint32_t rest = x->depth - a->from.position;
	uint32_t x_count, y_count;
	const struct source_frame *x_sources, *y_sources;

	if (rest != y->depth - b->from.position)
		return false;
	if (!rest)
		return true;
	if (memcmp(x->frames + a->from.position + 1,
		   y->frames + b->from.position + 1,
		   (rest - 1) * sizeof(*x->frames)) != 0)
		return false;
	x_sources = first_sources(report, a, &x_count);
	y_sources = first_sources(report, b, &y_count);
	if (x_count != y_count)
		return false;
	for (uint32_t i = 0; i < x_count; i++) {
		if (x_sources[i].function != y_sources[i].function ||
		    x_sources[i].line != y_sources[i].line)
			return false;
	}
	return true;
}

static void add_path(struct path_list *list, const struct path *path)
{
	const struct path_key key = {list, path};
	uint64_t hash = hash_path(list->report, path);
	uint32_t number = hash_index_find(&list->index, hash, same_path, &key);

	if (number != HASH_INDEX_NONE) {
		list->paths[number].change += path->change;
		return;
	}
	list->paths = memory_extend(list->paths, list->count, &list->capacity,
				    sizeof(*list->paths));
	hash_index_add(&list->index, hash, (uint32_t)list->count);
	list->paths[list->count++] = *path;
}

static int by_change(const void *left, const void *right)
{
	const struct path *a = left, *b = right;

	if (a->change != b->change)
		return a->change > b->change ? -1 : 1;
	return (a->stack > b->stack) - (a->stack < b->stack);
}

struct path *paths_of_row(const struct report *report,
			  const struct growth *growth, const struct row *row,
			  size_t *count, int64_t *change)
{
	enum la_sample_type sample =
		growth_sample(row->kind, report->options->growth.sample);
	struct path_list list = {.report = report};

	for (size_t i = 0; i < row->change_count; i++) {
		const struct change *one = &growth->changes[row->changes[i]];
		struct path path = {
			.stack = one->stack,
			.change = growth_of(&one->values, sample),
		};

		path.from = callsite_of(report->resolver,
					stack_of(report, &path));
		add_path(&list, &path);
	}
	hash_index_free(&list.index);
	qsort(list.paths, list.count, sizeof(*list.paths), by_change);
	*change = 0;
	for (size_t i = 0; i < list.count && list.paths[i].change > 0; i++)
		*change += list.paths[i].change;
	*count = list.count;
	return list.paths;
}

/* ---- how they are said ---- */

static char *frame_text(const struct report *report, uint32_t frame,
			const struct source_frame *source)
{
	const struct stacks *stacks = report->resolver->stacks;
	const char *module = resolver_module_name(report->resolver, frame);
	size_t size = 64 + strlen(module);
	char *text;
	int used;

	if (source->function)
		size += strlen(source->function);
	if (source->file)
		size += strlen(source->file);
	text = memory_resize(NULL, size, 1);
	if (!source->function) {
		snprintf(text, size, "%s+0x%" PRIx64, *module ? module : "?",
			 stacks->frames[frame].offset);
		return text;
	}
	function_name_simplify(source->function, text);
	used = (int)strlen(text);
	if (source->file && source->line)
		snprintf(text + used, size - (size_t)used, " %s:%d",
			 base_name(source->file), source->line);
	return text;
}

/*
 * The source frames at a position of the path's stack, but for those that the
 * path begins after. Returns how many.
 */
static uint32_t sources_at(const struct report *report,
			   const struct path *path, uint32_t position,
			   const struct source_frame **sources)
{
	const struct stack *stack = stack_of(report, path);
	uint32_t count, skip = 0;

	*sources = resolver_source(report->resolver, stack->frames[position],
				   &count);
	if (position == path->from.position)
		skip = path->from.source + !paths_have_callsite(report);
	*sources += skip;
	return count > skip ? count - skip : 0;
}

/* What called main, or a thread's first function, is nobody's interest. */
static bool is_runtime(const struct report *report, uint32_t frame,
		       const struct source_frame *source)
{
	if (source->function && !strcmp(source->function, LA_FRAME_TRUNCATED))
		return false;
	return callsite_passes_over(report->resolver, frame, source);
}

/* How many source frames the path has, up to the last of interest. */
static size_t count_frames(const struct report *report,
			   const struct path *path)
{
	const struct stack *stack = stack_of(report, path);
	const struct source_frame *sources;
	size_t count = 0;
	uint32_t i;

	for (i = path->from.position; i < stack->depth; i++)
		count += sources_at(report, path, i, &sources);
	while (i-- > path->from.position) {
		uint32_t j = sources_at(report, path, i, &sources);

		for (; j; j--, count--)
			if (!is_runtime(report, stack->frames[i],
					&sources[j - 1]))
				return count;
	}
	return count;
}

char **paths_frames(const struct report *report, const struct path *path,
		    size_t most, size_t *count)
{
	const struct stack *stack = stack_of(report, path);
	size_t filled = 0;
	char **texts;

	*count = count_frames(report, path);
	if (most > *count)
		most = *count;
	texts = memory_alloc(most, sizeof(*texts));
	for (uint32_t i = path->from.position; filled < most; i++) {
		const struct source_frame *sources;
		uint32_t number = sources_at(report, path, i, &sources);

		for (uint32_t j = 0; j < number && filled < most; j++)
			texts[filled++] = frame_text(report, stack->frames[i],
						     &sources[j]);
	}
	return texts;
}
