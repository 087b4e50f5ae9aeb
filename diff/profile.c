/*
 * Loads a profile: unpacks it with protobuf-c into an arena and rewrites the
 * message into plain arrays while checking every reference. What the samples
 * are (types, kinds, errors) is settled here; what the comments mean is left to
 * snapshot.c, and mappings and locations to profile_frames.c.
 */
#include "diff/profile_loader.h"

#include "diff/gunzip.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Snapshots of 100,000 deep stacks take a thirtieth; more is an attack. */
#define PROFILE_MEMORY_LIMIT ((size_t)2 << 30)

/*
 * A frame takes a byte or two, and stands for all functions that are inlined
 * there: a few. With thousands of them, a kilobyte would make a report of
 * gigabytes.
 */
#define LARGEST_EXPANSION 16

/* Each type may go by a second name that other writers use. */
static const char *const type_names[LA_SAMPLE_TYPES][2] = {
	{"alloc_objects", NULL},
	{"alloc_space", NULL},
	{"inuse_objects", "objects"},
	{"inuse_space", "space"},
};

static const char *const kind_names[KINDS] = {LA_KIND_HEAP, LA_KIND_MMAP,
					      LA_KIND_THREAD};

const char *kind_name(enum kind kind)
{
	return kind_names[kind];
}

static void *arena_alloc_for_protobuf(void *arena, size_t size)
{
	return arena_alloc(arena, size);
}

static void arena_keep_for_protobuf(void *arena, void *block)
{
	(void)arena;
	(void)block;
}

int loader_too_large(struct loader *loader)
{
	return error_set(loader->error,
			 "%s: needs more than %zu GiB of memory: not a "
			 "snapshot",
			 loader->name, PROFILE_MEMORY_LIMIT >> 30);
}

const char *loader_string(const struct loader *loader, int64_t index)
{
	if (index < 0 || (uint64_t)index >= loader->message->n_string_table)
		return NULL;
	return loader->message->string_table[index];
}

int loader_bad_string(struct loader *loader, const char *where, int64_t index)
{
	return error_set(loader->error,
			 "%s: damaged profile: %s refers to string %" PRId64
			 " of %zu",
			 loader->name, where, index,
			 loader->message->n_string_table);
}

int loader_bad_id(struct loader *loader, const char *where, uint64_t id)
{
	return error_set(loader->error,
			 "%s: damaged profile: %s %" PRIu64 " does not exist",
			 loader->name, where, id);
}

/* ---- sample types ---- */

static int find_sample_types(struct loader *loader)
{
	const Perftools__Profiles__Profile *message = loader->message;

	for (int type = 0; type < LA_SAMPLE_TYPES; type++)
		loader->place_of[type] = -1;
	for (size_t i = 0; i < message->n_sample_type && i < INT_MAX; i++) {
		int64_t index = message->sample_type[i]->type;
		const char *name = loader_string(loader, index);

		if (!name)
			return loader_bad_string(loader, "a sample type",
						 index);
		for (int type = 0; type < LA_SAMPLE_TYPES; type++) {
			const char *alias = type_names[type][1];

			if (!strcmp(name, type_names[type][0]) ||
			    (alias && !strcmp(name, alias)))
				loader->place_of[type] = (int)i;
		}
	}
	return 0;
}

static int check_sample_types(struct loader *loader)
{
	const Perftools__Profiles__Profile *message = loader->message;
	bool *has = loader->profile->has;

	if (find_sample_types(loader))
		return -1;
	for (int type = 0; type < LA_SAMPLE_TYPES; type++)
		has[type] = loader->place_of[type] >= 0;
	if (has[LA_INUSE_SPACE])
		return 0;
	if (!message->n_sample_type)
		return error_set(loader->error, "%s: not a profile",
				 loader->name);
	return error_set(loader->error,
			 "%s: not a heap profile: it measures %s, not %s",
			 loader->name,
			 loader_string(loader, message->sample_type[0]->type),
			 type_names[LA_INUSE_SPACE][0]);
}

/* ---- samples ---- */

static void take_kind(struct profile_sample *sample, const char *text)
{
	for (enum kind kind = KIND_HEAP; kind < KINDS; kind++) {
		if (!strcmp(text, kind_names[kind]))
			sample->kind = kind;
	}
}

/* An error has no sign; what is below 0 means nothing. */
static void take_error(struct profile_sample *sample, const char *key,
		       int64_t error)
{
	static const char *const names[] = LA_LABEL_ERROR_NAMES;

	for (int type = 0; error > 0 && type < LA_SAMPLE_TYPES; type++) {
		if (!strcmp(key, names[type]))
			sample->errors[type] = error;
	}
}

static int load_labels(struct loader *loader, struct profile_sample *sample,
		       const Perftools__Profiles__Sample *from)
{
	sample->kind = KIND_HEAP;
	memset(sample->errors, 0, sizeof(sample->errors));
	for (size_t i = 0; i < from->n_label; i++) {
		const Perftools__Profiles__Label *label = from->label[i];
		const char *key = loader_string(loader, label->key);
		const char *text = loader_string(loader, label->str);

		if (!key)
			return loader_bad_string(loader, "a label", label->key);
		if (!text)
			return loader_bad_string(loader, "a label", label->str);
		if (!strcmp(key, LA_LABEL_KIND))
			take_kind(sample, text);
		else
			take_error(sample, key, label->num);
	}
	return 0;
}

static int load_sample(struct loader *loader, struct profile_sample *sample,
		       const Perftools__Profiles__Sample *from)
{
	if (from->n_value != loader->message->n_sample_type)
		return error_set(loader->error,
				 "%s: damaged profile: a sample has %zu values "
				 "instead of %zu",
				 loader->name, from->n_value,
				 loader->message->n_sample_type);
	for (int type = 0; type < LA_SAMPLE_TYPES; type++) {
		int place = loader->place_of[type];

		sample->values[type] = place < 0 ? 0 : from->value[place];
	}
	/* Ids become places, in the message's own array. */
	for (size_t i = 0; i < from->n_location_id; i++) {
		uint32_t place = id_map_find(&loader->locations,
					     from->location_id[i]);

		if (place == ID_MAP_NONE)
			return loader_bad_id(loader, "location",
					     from->location_id[i]);
		from->location_id[i] = place;
		loader->frames +=
			1 + loader->profile->locations[place].line_count;
	}
	if (loader->frames / LARGEST_EXPANSION > loader->size)
		return error_set(loader->error,
				 "%s: its stacks have more than %d times as "
				 "many frames as it has bytes: not a snapshot",
				 loader->name, LARGEST_EXPANSION);
	if (from->n_location_id > UINT32_MAX)
		return loader_too_large(loader);
	sample->locations = from->location_id;
	sample->depth = (uint32_t)from->n_location_id;
	return load_labels(loader, sample, from);
}

/* With this, no sum or difference of some of the values can overflow. */
static int add_magnitudes(struct loader *loader, const int64_t *values,
			  int64_t *magnitudes)
{
	for (int type = 0; type < LA_SAMPLE_TYPES; type++) {
		int64_t value = values[type];

		if (value == INT64_MIN ||
		    __builtin_add_overflow(magnitudes[type],
					   value < 0 ? -value : value,
					   &magnitudes[type]))
			return error_set(loader->error,
					 "%s: damaged profile: its %s values "
					 "overflow 64 bits",
					 loader->name, type_names[type][0]);
	}
	return 0;
}

static int load_samples(struct loader *loader)
{
	const Perftools__Profiles__Profile *message = loader->message;
	int64_t magnitudes[LA_SAMPLE_TYPES] = {0};
	struct profile_sample *samples;

	if (message->n_sample > UINT32_MAX)
		return loader_too_large(loader);
	samples = arena_alloc(&loader->profile->arena,
			      message->n_sample * sizeof(*samples));
	if (!samples)
		return loader_too_large(loader);
	for (size_t i = 0; i < message->n_sample; i++) {
		if (load_sample(loader, &samples[i], message->sample[i]) ||
		    add_magnitudes(loader, samples[i].values, magnitudes))
			return -1;
	}
	loader->profile->samples = samples;
	loader->profile->sample_count = (uint32_t)message->n_sample;
	return 0;
}

/* ---- the rest ---- */

static int load_comments(struct loader *loader)
{
	const Perftools__Profiles__Profile *message = loader->message;
	const char **comments;

	comments = arena_alloc(&loader->profile->arena,
			       message->n_comment * sizeof(*comments));
	if (!comments || message->n_comment > UINT32_MAX)
		return loader_too_large(loader);
	for (size_t i = 0; i < message->n_comment; i++) {
		comments[i] = loader_string(loader, message->comment[i]);
		if (!comments[i])
			return loader_bad_string(loader, "a comment",
					  message->comment[i]);
	}
	loader->profile->comments = comments;
	loader->profile->comment_count = (uint32_t)message->n_comment;
	return 0;
}

/* A later schema may mean other things by the same words. */
static int check_schema(struct loader *loader)
{
	const size_t length = strlen(LA_COMMENT_SCHEMA "=");

	for (uint32_t i = 0; i < loader->profile->comment_count; i++) {
		const char *comment = loader->profile->comments[i];

		if (strncmp(comment, LA_COMMENT_SCHEMA "=", length) != 0)
			continue;
		if (strtoll(comment + length, NULL, 10) > LA_SCHEMA)
			return error_set(
				loader->error,
				"%s: has %s, and this leakdiff reads up to %d: "
				"use a newer leakdiff",
				loader->name, comment, LA_SCHEMA);
	}
	return 0;
}

static int load_message(struct loader *loader)
{
	const Perftools__Profiles__Profile *message = loader->message;
	struct profile *profile = loader->profile;

	if (!message->n_string_table || message->string_table[0][0])
		return error_set(loader->error, "%s: not a profile",
				 loader->name);
	profile->time_ns = message->time_nanos;
	profile->duration_ns = message->duration_nanos;
	profile->period = message->period;
	/* The schema comes first: it tells whether the rest can be judged. */
	if (load_comments(loader) || check_schema(loader) ||
	    check_sample_types(loader) || loader_frames(loader) ||
	    load_samples(loader))
		return -1;
	if (message->time_nanos < 0)
		return error_set(loader->error,
				 "%s: damaged profile: taken before 1970",
				 loader->name);
	return 0;
}

static int load_bytes(struct profile *profile, const char *name,
		      const uint8_t *data, size_t size, struct error *error)
{
	ProtobufCAllocator allocator = {
		.alloc = arena_alloc_for_protobuf,
		.free = arena_keep_for_protobuf,
		.allocator_data = &profile->arena,
	};
	struct loader loader = {
		.name = name, .size = size, .profile = profile, .error = error};

	loader.message = perftools__profiles__profile__unpack(&allocator, size,
							      data);
	if (!loader.message)
		return profile->arena.used > PROFILE_MEMORY_LIMIT / 2 ?
			       loader_too_large(&loader) :
			       error_set(error, "%s: not a profile", name);
	return load_message(&loader);
}

static int parse_and_free(struct profile *profile, const char *name,
			  uint8_t *data, size_t size, struct error *error)
{
	int result;

	memset(profile, 0, sizeof(*profile));
	profile->arena.limit = PROFILE_MEMORY_LIMIT;
	result = load_bytes(profile, name, data, size, error);
	free(data);
	if (result)
		profile_free(profile);
	return result;
}

int profile_parse(struct profile *profile, const char *name,
		  const uint8_t *packed, size_t packed_size,
		  struct error *error)
{
	uint8_t *data;
	size_t size;

	if (gunzip_bytes(name, packed, packed_size, &data, &size, error))
		return -1;
	return parse_and_free(profile, name, data, size, error);
}

int profile_load(struct profile *profile, const char *path,
		 struct error *error)
{
	uint8_t *data;
	size_t size;

	if (gunzip_file(path, &data, &size, error))
		return -1;
	return parse_and_free(profile, path, data, size, error);
}

void profile_free(struct profile *profile)
{
	arena_free(&profile->arena);
	memset(profile, 0, sizeof(*profile));
}
