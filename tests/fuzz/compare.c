/*
 * What leakdiff does with several files: each input is three of them, and the
 * options that they are compared with. Modules have no symbols here.
 */
#define _GNU_SOURCE /* memfd_create */
#include "tests/fuzz/inputs.h"
#include "tests/fuzz/reports.h"

#define FILES 3

/* Two bytes of the input choose. */
static struct options options_of(struct input *input, struct focus *focus)
{
	unsigned bits = input_last_byte(input);
	unsigned more = input_last_byte(input);

	return (struct options){
		.growth = {
			.sample = (enum la_sample_type)(bits & 3),
			.by = (enum group_by)((bits >> 2) % (BY_MODULE + 1)),
			.sort = (enum sort_by)((bits >> 5) %
					       (SORT_PERCENT + 1)),
			.cumulative = more & 1,
			.kinds = {true, !(more & 2), true},
			.minimum = more & 4 ? 1000 : 0,
			.focus = focus,
		},
		.series = {.as_given = more & 8, .force = true},
		.top = more & 16 ? 2 : OPTIONS_NONE,
		.inputs = NULL,
		.input_count = 1 + (more >> 5) % FILES,
	};
}

static int rank_all(struct growth *growths, const struct series_set *set,
		    const struct options *options, struct resolver *resolver)
{
	struct error error;
	int result = 0;

	for (size_t i = 0; i < set->count && !result; i++)
		result = growth_rank(&growths[i], &set->series[i],
				     &options->growth, resolver, &error);
	return result;
}

static bool measures(const struct series_set *set, enum la_sample_type type)
{
	for (size_t i = 0; i < set->snapshot_count; i++)
		if (!set->snapshots[i].has[type])
			return false;
	return true;
}

static void report_on(const struct series_set *set,
		      const struct options *options, struct resolver *resolver)
{
	struct growth growths[FILES] = {0};

	if (measures(set, options->growth.sample) &&
	    !rank_all(growths, set, options, resolver)) {
		for (size_t i = 0; i < set->count; i++)
			growth_selected(&growths[i], options->growth.sample);
		write_reports((struct report){
			.options = options,
			.set = set,
			.growths = growths,
			.resolver = resolver,
		});
	}
	for (size_t i = 0; i < set->count; i++)
		growth_free(&growths[i]);
}

static void compare(char *const *paths, const struct options *options)
{
	const struct symbolizer_options no_symbols = {
		.sysroot = "/nonexistent",
	};
	struct stacks stacks = {0};
	struct resolver resolver = {.stacks = &stacks};
	struct series_set set;
	struct error error;

	wrappers_parse(&resolver.wrappers, "", "m*\n!mm\nmodule:lib*", &error);
	resolver.symbolizer = symbolizer_new(&no_symbols);
	if (!series_load(&set, paths, options->input_count, &options->series,
			 &stacks, &error))
		report_on(&set, options, &resolver);
	series_free(&set);
	resolver_free(&resolver);
	symbolizer_free(resolver.symbolizer);
	stacks_free(&stacks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size}, parts[FILES];
	char paths[FILES][INPUT_PATH_SIZE], *arguments[FILES];
	struct focus focus = {0};
	struct options options = options_of(&input, &focus);
	struct error error;
	int fds[FILES];

	if (size % 2)
		focus_compile(&focus, NULL, "^m.*n$", &error);
	input_split(input, parts, FILES);
	for (size_t i = 0; i < FILES; i++) {
		fds[i] = input_file(parts[i], paths[i]);
		arguments[i] = paths[i];
	}
	compare(arguments, &options);
	for (size_t i = 0; i < FILES; i++)
		close(fds[i]);
	focus_free(&focus);
	return 0;
}
