/*
 * What the parts of the profile loader share: profile.c loads samples and all
 * else, profile_frames.c what their stacks are made of. Both refuse the first
 * thing that is wrong.
 */
#ifndef DIFF_PROFILE_LOADER_H
#define DIFF_PROFILE_LOADER_H

#include "agent/format/profile.pb-c.h"
#include "diff/id_map.h"
#include "diff/profile.h"

struct loader {
	const char *name; /* of the file, for errors */
	size_t size;      /* in bytes, unpacked */
	uint64_t frames;  /* of all samples so far, with what is inlined */
	struct profile *profile;
	const Perftools__Profiles__Profile *message;
	struct id_map mappings, locations, functions;
	int place_of[LA_SAMPLE_TYPES]; /* in Sample.value, or -1 */
	struct error *error;
};

/*
 * Fills the profile's mappings and locations, and the loader's maps. Returns 0
 * or -1.
 */
int loader_frames(struct loader *loader);

/* NULL when the index is outside the string table. */
const char *loader_string(const struct loader *loader, int64_t index);

/* These set the error and return -1. */
int loader_too_large(struct loader *loader);
int loader_bad_string(struct loader *loader, const char *where, int64_t index);
int loader_bad_id(struct loader *loader, const char *where, uint64_t id);

#endif
