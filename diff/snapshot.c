/*
 * From a profile to a snapshot: identity out of the comments, samples summed by
 * stack.
 */
#include "diff/snapshot.h"

#include "diff/base_name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What /proc/PID/maps adds to the path of a file that was removed. */
#define DELETED_SUFFIX " (deleted)"

/* ---- who and when ---- */

static const char *comment_value(const struct profile *profile,
				 const char *key)
{
	size_t length = strlen(key);

	for (uint32_t i = 0; i < profile->comment_count; i++) {
		const char *comment = profile->comments[i];

		if (!strncmp(comment, key, length) && comment[length] == '=')
			return comment + length + 1;
	}
	return "";
}

static int64_t comment_number(const struct profile *profile, const char *key)
{
	const char *text = comment_value(profile, key);
	long long number;
	char *end;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno || end == text || *end || number < 0)
		return SNAPSHOT_UNKNOWN;
	return number;
}

static const char *program_name(const struct profile *profile,
				struct strings *strings)
{
	const char *name;
	size_t length;
	char *copy;

	if (!profile->mapping_count)
		return comment_value(profile, LA_COMMENT_COMMAND);
	copy = memory_copy_text(base_name(profile->mappings[0].path));
	length = strlen(copy);
	if (length > strlen(DELETED_SUFFIX) &&
	    !strcmp(copy + length - strlen(DELETED_SUFFIX), DELETED_SUFFIX))
		copy[length - strlen(DELETED_SUFFIX)] = '\0';
	name = strings_intern(strings, copy);
	free(copy);
	return name;
}

static void identify(struct process *process, const struct profile *profile,
		     struct strings *strings)
{
	const char *command = comment_value(profile, LA_COMMENT_COMMAND);

	process->program = strings_intern(strings,
					  program_name(profile, strings));
	process->command = *command ? strings_intern(strings, command) :
				      process->program;
	process->build_id = strings_intern(
		strings, profile->mapping_count ?
				 profile->mappings[0].build_id :
				 "");
	process->host = strings_intern(
		strings, comment_value(profile, LA_COMMENT_HOST));
	process->start = strings_intern(
		strings, comment_value(profile, LA_COMMENT_START));
	process->pid = comment_number(profile, LA_COMMENT_PID);
}

bool snapshot_same_process(const struct snapshot *a, const struct snapshot *b)
{
	/* Interned strings: equal texts have equal pointers. */
	return a->process.host == b->process.host &&
	       a->process.pid == b->process.pid &&
	       a->process.start == b->process.start &&
	       a->process.program == b->process.program;
}

/* A process's age grows, whatever becomes of the clock. */
int64_t snapshot_elapsed_ns(const struct snapshot *before,
			    const struct snapshot *after)
{
	if (snapshot_same_process(before, after) && before->age_ns > 0 &&
	    after->age_ns > 0)
		return after->age_ns - before->age_ns;
	return before->time_ns ? after->time_ns - before->time_ns : 0;
}

/* ---- what ---- */

static void add_variances(struct snapshot *snapshot, double *sums,
			  const int64_t *errors)
{
	for (int type = 0; type < LA_SAMPLE_TYPES; type++) {
		sums[type] += (double)errors[type] * (double)errors[type];
		snapshot->has_errors |= errors[type] > 0;
	}
}

static void add_values(int64_t *sums, const int64_t *values)
{
	for (int type = 0; type < LA_SAMPLE_TYPES; type++)
		sums[type] += values[type];
}

/* Samples that differ only in labels share one entry. */
static void take_samples(struct snapshot *snapshot,
			 const struct profile *profile, struct stacks *stacks)
{
	uint32_t *stack_of = memory_alloc(profile->sample_count,
					  sizeof(*stack_of));
	uint32_t *entry_of; /* by stack: number + 1 */

	stacks_add_profile(stacks, profile, stack_of);
	entry_of = memory_alloc(stacks->stack_count, sizeof(*entry_of));
	snapshot->entries = memory_alloc(profile->sample_count,
					 sizeof(*snapshot->entries));
	for (uint32_t i = 0; i < profile->sample_count; i++) {
		const struct profile_sample *sample = &profile->samples[i];
		uint32_t *number = &entry_of[stack_of[i]];
		struct snapshot_entry *entry;

		if (!*number) {
			*number = (uint32_t)++snapshot->entry_count;
			snapshot->entries[*number - 1].stack = stack_of[i];
		}
		entry = &snapshot->entries[*number - 1];
		add_values(entry->values, sample->values);
		add_variances(snapshot, entry->variances, sample->errors);
		add_values(snapshot->totals[sample->kind], sample->values);
	}
	free(entry_of);
	free(stack_of);
}

void snapshot_build(struct snapshot *snapshot, const char *path,
		    const struct profile *profile, struct stacks *stacks)
{
	struct strings *strings = &stacks->strings;

	memset(snapshot, 0, sizeof(*snapshot));
	snapshot->path = strings_intern(strings, path);
	identify(&snapshot->process, profile, strings);
	snapshot->time_ns = profile->time_ns;
	snapshot->age_ns = profile->duration_ns;
	snapshot->period = profile->period;
	snapshot->sequence = comment_number(profile, LA_COMMENT_SEQUENCE);
	snapshot->rss_bytes = comment_number(profile, LA_COMMENT_RSS);
	snapshot->rss_anon_bytes =
		comment_number(profile, LA_COMMENT_RSS_ANON);
	snapshot->agent_bytes =
		comment_number(profile, LA_COMMENT_AGENT_BYTES);
	snapshot->agent_limit_bytes =
		comment_number(profile, LA_COMMENT_AGENT_LIMIT);
	snapshot->drops = comment_number(profile, LA_COMMENT_DROPS);
	snapshot->sample_bytes = comment_number(profile, LA_COMMENT_SAMPLE);
	snapshot->coarsened_bytes =
		comment_number(profile, LA_COMMENT_COARSENED);
	snapshot->different_stacks =
		comment_number(profile, LA_COMMENT_DIFFERENT);
	snapshot->reason = strings_intern(
		strings, comment_value(profile, LA_COMMENT_REASON));
	snapshot->tracking = strings_intern(
		strings, comment_value(profile, LA_COMMENT_TRACKING));
	snapshot->heap = strings_intern(
		strings, comment_value(profile, LA_COMMENT_HEAP));
	memcpy(snapshot->has, profile->has, sizeof(snapshot->has));
	take_samples(snapshot, profile, stacks);
}

bool snapshot_is_sampled(const struct snapshot *snapshot)
{
	return snapshot->period > 1;
}

int64_t snapshot_total(const struct snapshot *snapshot,
		       enum la_sample_type type)
{
	int64_t total = 0;

	for (enum kind kind = KIND_HEAP; kind < KINDS; kind++)
		total += snapshot->totals[kind][type];
	return total;
}

void snapshot_free(struct snapshot *snapshot)
{
	free(snapshot->entries);
	snapshot->entries = NULL;
	snapshot->entry_count = 0;
}
