/*
 * One profile file in memory, checked: every reference in it leads somewhere,
 * and sums of its values fit into 64 bits. Knows the file format and nothing
 * of processes, comparison or symbols.
 */
#ifndef DIFF_PROFILE_H
#define DIFF_PROFILE_H

#include "agent/format/keys.h"
#include "diff/error.h"
#include "diff/memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROFILE_NO_MAPPING UINT32_MAX

enum kind { KIND_HEAP, KIND_MMAP, KIND_THREAD, KINDS };

struct profile_mapping {
	const char *path;     /* "" if unknown */
	const char *build_id; /* lowercase hex, "" if unknown */
	uint64_t start, limit, file_offset;
};

/* A source line that the file itself gives for a location. */
struct profile_line {
	const char *function;
	const char *file; /* "" if unknown */
	int line;         /* 0 if unknown */
};

struct profile_location {
	const struct profile_line *lines; /* innermost first */
	uint32_t line_count;
	uint32_t mapping; /* a number in mappings, or PROFILE_NO_MAPPING */
	uint64_t address;
};

struct profile_sample {
	const uint64_t *locations; /* numbers in locations, leaf first */
	uint32_t depth;
	enum kind kind;
	int64_t values[LA_SAMPLE_TYPES]; /* 0 where the file has none */
	int64_t errors[LA_SAMPLE_TYPES]; /* standard errors, 0 = exact */
};

struct profile {
	int64_t time_ns;     /* UTC since the epoch, 0 if unknown */
	int64_t duration_ns; /* 0 if unknown */
	int64_t period;      /* mean bytes per sample, 1 = exact */
	bool has[LA_SAMPLE_TYPES];

	const struct profile_mapping *mappings;
	const struct profile_location *locations;
	const struct profile_sample *samples;
	const char *const *comments;
	uint32_t mapping_count, location_count, sample_count, comment_count;

	struct arena arena; /* holds all of the above */
};

/*
 * Reads a file, gzip-compressed or not. Returns 0, or -1 with one line in
 * `error` that names the file and its fault. profile_free releases it; after a
 * failure there is nothing to release. Several threads may load at a time.
 */
int profile_load(struct profile *profile, const char *path,
		 struct error *error);

/* The same for bytes in memory; `name` is what errors call them. */
int profile_parse(struct profile *profile, const char *name,
		  const uint8_t *packed, size_t packed_size,
		  struct error *error);

void profile_free(struct profile *profile);

/* "heap", "mmap", "thread" */
const char *kind_name(enum kind kind);

#endif
