/*
 * Feeds bytes to the loader as if they were a file, and what it lets through
 * on to the ranking and to every report.
 */
#include "tests/fuzz/reports.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct growth *growth)
{
	for (size_t i = 0; i < growth->row_count; i++) {
		const struct values *values = &growth->rows[i].values;

		if (growth_of(values, LA_INUSE_SPACE) ||
		    values->variance.growth[LA_INUSE_SPACE] != 0)
			abort(); /* a snapshot differs from itself */
	}
}

static void report_on(struct snapshot *snapshot, size_t count,
		      const struct options *options, struct resolver *resolver)
{
	struct snapshot *ends[2] = {snapshot, snapshot};
	struct series series = {ends, count};
	const struct series_set set = {snapshot, 1, &series, 1, false};
	struct growth growth;
	struct error error;

	if (growth_rank(&growth, &series, &options->growth, resolver, &error))
		return;
	if (count > 1)
		check(&growth);
	write_reports((struct report){
		.options = options,
		.set = &set,
		.growths = &growth,
		.resolver = resolver,
	});
	growth_free(&growth);
}

static void compare(const struct profile *profile)
{
	const struct symbolizer_options no_symbols = {
		.sysroot = "/nonexistent",
	};
	struct stacks stacks = {0};
	struct focus focus = {0};
	const struct options options = {
		.growth = {.sample = LA_INUSE_SPACE,
			   .kinds = {true, true, true},
			   .focus = &focus},
		.top = 3,
	};
	struct resolver resolver = {.stacks = &stacks};
	struct snapshot snapshot;
	struct error error;

	wrappers_parse(&resolver.wrappers, "", "std::*\nmodule:lib*", &error);
	resolver.symbolizer = symbolizer_new(&no_symbols);
	snapshot_build(&snapshot, "fuzzed", profile, &stacks);
	report_on(&snapshot, 1, &options, &resolver);
	report_on(&snapshot, 2, &options, &resolver);
	snapshot_free(&snapshot);
	resolver_free(&resolver);
	symbolizer_free(resolver.symbolizer);
	stacks_free(&stacks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct profile profile;
	struct error error;

	if (profile_parse(&profile, "fuzzed", data, size, &error))
		return 0;
	compare(&profile);
	profile_free(&profile);
	return 0;
}
