/*
 * Feeds bytes to the loader as if they were a file, and on to the ranking, so
 * that whatever it lets through is also safe to compare.
 */
#include "diff/growth.h"
#include "diff/report.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(const struct profile *profile)
{
	const struct symbolizer_options no_symbols = {
		.sysroot = "/nonexistent",
	};
	struct stacks stacks = {0};
	struct focus focus = {0};
	struct snapshot snapshot;
	struct snapshot *ends[2] = {&snapshot, &snapshot};
	const struct series series = {ends, 2};
	const struct growth_options options = {
		.sample = LA_INUSE_SPACE,
		.kinds = {true, true, true},
		.focus = &focus,
	};
	struct resolver resolver = {.stacks = &stacks};
	struct growth growth;
	struct error error;

	resolver.symbolizer = symbolizer_new(&no_symbols);
	snapshot_build(&snapshot, "fuzzed", profile, &stacks);
	if (!growth_rank(&growth, &series, &options, &resolver, &error)) {
		for (size_t i = 0; i < growth.row_count; i++) {
			if (growth_of(&growth.rows[i].values, LA_INUSE_SPACE))
				abort(); /* a snapshot differs from itself */
		}
		growth_free(&growth);
	}
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
