/*
 * Loads files, several at a time, and sorts them into series. Unpacking and
 * checking run in threads; what touches shared tables does not.
 */
#include "diff/series.h"

#include "diff/folder.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- loading ---- */

/* As many as are loaded at a time, a thread each. */
#define BATCH 4

struct job {
	const struct listed_file *file;
	struct profile profile;
	struct error error;
	int result;
	bool threaded;
	pthread_t thread;
};

static void *run_job(void *argument)
{
	struct job *job = argument;

	job->result = profile_load(&job->profile, job->file->path,
				   &job->error);
	return NULL;
}

/* The agent thins its snapshots out: one may go while we look. */
static bool vanished(const struct job *job)
{
	return job->result && job->file->listed &&
	       access(job->file->path, F_OK) && errno == ENOENT;
}

static void load_batch(struct job *jobs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		jobs[i].threaded = i + 1 < count &&
				   !pthread_create(&jobs[i].thread, NULL,
						   run_job, &jobs[i]);
		if (!jobs[i].threaded)
			run_job(&jobs[i]);
	}
	for (size_t i = 0; i < count; i++) {
		if (jobs[i].threaded)
			pthread_join(jobs[i].thread, NULL);
	}
}

/* Adds what was loaded, in order; everything is freed in any case. */
static int take_batch(struct series_set *set, struct job *jobs, size_t count,
		      struct stacks *stacks, struct error *error)
{
	int result = 0;

	for (size_t i = 0; i < count; i++) {
		struct job *job = &jobs[i];

		if (vanished(job))
			continue;
		if (job->result) {
			if (!result)
				*error = job->error;
			result = -1;
			continue;
		}
		if (!result)
			snapshot_build(&set->snapshots[set->snapshot_count++],
				       job->file->path, &job->profile, stacks);
		profile_free(&job->profile);
	}
	return result;
}

static int load_files(struct series_set *set, const struct file_list *list,
		      struct stacks *stacks, struct error *error)
{
	struct job jobs[BATCH];

	set->snapshots = memory_alloc(list->count, sizeof(*set->snapshots));
	for (size_t done = 0; done < list->count; done += BATCH) {
		size_t count = list->count - done;

		if (count > BATCH)
			count = BATCH;
		memset(jobs, 0, sizeof(jobs));
		for (size_t i = 0; i < count; i++)
			jobs[i].file = &list->files[done + i];
		load_batch(jobs, count);
		if (take_batch(set, jobs, count, stacks, error))
			return -1;
	}
	if (!set->snapshot_count)
		return error_set(error, "%s: it vanished while being read",
				 list->files[0].path);
	return 0;
}

/* ---- grouping and order ---- */

static int by_time(const void *left, const void *right)
{
	const struct snapshot *a = *(struct snapshot *const *)left;
	const struct snapshot *b = *(struct snapshot *const *)right;

	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	if (snapshot_same_process(a, b) && a->sequence != b->sequence)
		return a->sequence < b->sequence ? -1 : 1;
	return (a > b) - (a < b); /* as given */
}

/* Of one process: its clock may have been set back. */
static int by_sequence(const void *left, const void *right)
{
	const struct snapshot *a = *(struct snapshot *const *)left;
	const struct snapshot *b = *(struct snapshot *const *)right;

	if (a->sequence != b->sequence)
		return a->sequence < b->sequence ? -1 : 1;
	return by_time(left, right);
}

static bool is_one_process(const struct series *series)
{
	for (size_t i = 0; i < series->count; i++)
		if (series->snapshots[i]->sequence == SNAPSHOT_UNKNOWN ||
		    !snapshot_same_process(series->snapshots[0],
					   series->snapshots[i]))
			return false;
	return true;
}

static void sort(struct series *series)
{
	qsort(series->snapshots, series->count, sizeof(*series->snapshots),
	      is_one_process(series) ? by_sequence : by_time);
}

static int by_first_time(const void *left, const void *right)
{
	const struct series *a = left, *b = right;

	return by_time(&a->snapshots[0], &b->snapshots[0]);
}

struct process_key {
	const struct series_set *set;
	const struct snapshot *snapshot;
};

static bool same_process(const void *key, uint32_t item)
{
	const struct process_key *wanted = key;

	return snapshot_same_process(wanted->snapshot,
				     wanted->set->series[item].snapshots[0]);
}

static uint32_t find_series(struct series_set *set,
			    const struct snapshot *snapshot,
			    struct hash_index *index)
{
	const struct process_key key = {set, snapshot};
	const struct process *process = &snapshot->process;
	uint64_t hash = hash_mix(0, (uint64_t)process->pid);
	uint32_t number;

	if (!set->grouped && set->count)
		return 0;
	hash = hash_mix(hash, (uintptr_t)process->host);
	hash = hash_mix(hash, (uintptr_t)process->start);
	hash = hash_mix(hash, (uintptr_t)process->program);
	number = hash_index_find(index, hash, same_process, &key);
	if (number == HASH_INDEX_NONE) {
		number = (uint32_t)set->count++;
		hash_index_add(index, hash, number);
	}
	return number;
}

static void group(struct series_set *set, bool as_given)
{
	struct hash_index index = {0};

	set->series = memory_alloc(set->snapshot_count, sizeof(*set->series));
	for (size_t i = 0; i < set->snapshot_count; i++) {
		struct snapshot *snapshot = &set->snapshots[i];
		uint32_t number = find_series(set, snapshot, &index);
		struct series *series = &set->series[number];

		series->snapshots = memory_resize(series->snapshots,
						  series->count + 1,
						  sizeof(*series->snapshots));
		series->snapshots[series->count++] = snapshot;
	}
	hash_index_free(&index);
	if (as_given)
		return;
	for (size_t i = 0; i < set->count; i++)
		sort(&set->series[i]);
	qsort(set->series, set->count, sizeof(*set->series), by_first_time);
}

static int check_pair(const struct series_set *set, struct error *error)
{
	const struct snapshot *a = &set->snapshots[0];
	const struct snapshot *b = &set->snapshots[1];

	if (a->process.program == b->process.program)
		return 0;
	return error_set(error,
			 "these are different programs, %s (%s) and %s (%s): "
			 "--force compares them",
			 a->process.program, a->path, b->process.program,
			 b->path);
}

int series_load(struct series_set *set, char *const *arguments, size_t count,
		const struct series_options *options, struct stacks *stacks,
		struct error *error)
{
	struct file_list list;
	int result;

	memset(set, 0, sizeof(*set));
	result = file_list_build(&list, arguments, count, error);
	if (!result)
		result = load_files(set, &list, stacks, error);
	set->grouped = list.has_folder || list.count > 2;
	if (!result && !set->grouped && set->snapshot_count == 2 &&
	    !options->force)
		result = check_pair(set, error);
	file_list_free(&list);
	if (!result)
		group(set, options->as_given);
	return result;
}

void series_free(struct series_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		free(set->series[i].snapshots);
	for (size_t i = 0; i < set->snapshot_count; i++)
		snapshot_free(&set->snapshots[i]);
	free(set->series);
	free(set->snapshots);
	memset(set, 0, sizeof(*set));
}
