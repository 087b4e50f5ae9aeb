/*
 * What the stacks of a profile are made of: mappings, locations, and the lines
 * that the file itself gives them.
 */
#include "diff/profile_loader.h"

#include <inttypes.h>
#include <limits.h>
#include <stddef.h>

/* ---- ids ---- */

#define COLLECT_IDS(loader, things, map)                                       \
	collect_ids(loader, (void *const *)(loader)->message->things,          \
		    (loader)->message->n_##things, #things, map)

/* In all three messages the id is the first field after the base. */
struct message_with_id {
	ProtobufCMessage base;
	uint64_t id;
};

_Static_assert(offsetof(Perftools__Profiles__Mapping, id) ==
		       offsetof(struct message_with_id, id),
	       "mapping ids");
_Static_assert(offsetof(Perftools__Profiles__Location, id) ==
		       offsetof(struct message_with_id, id),
	       "location ids");
_Static_assert(offsetof(Perftools__Profiles__Function, id) ==
		       offsetof(struct message_with_id, id),
	       "function ids");

static int collect_ids(struct loader *loader, void *const *messages,
		       size_t count, const char *what, struct id_map *map)
{
	struct arena *arena = &loader->profile->arena;
	uint64_t *ids = arena_alloc(arena, count * sizeof(*ids));

	if (!ids)
		return loader_too_large(loader);
	for (size_t i = 0; i < count; i++)
		ids[i] = ((const struct message_with_id *)messages[i])->id;
	if (!id_map_build(map, ids, count, arena))
		return error_set(loader->error,
				 "%s: damaged profile: the ids of its %ss are "
				 "not unique",
				 loader->name, what);
	return 0;
}

/* ---- mappings ---- */

static int load_mappings(struct loader *loader)
{
	const Perftools__Profiles__Profile *message = loader->message;
	struct profile_mapping *mappings;

	if (COLLECT_IDS(loader, mapping, &loader->mappings))
		return -1;
	mappings = arena_alloc(&loader->profile->arena,
			       message->n_mapping * sizeof(*mappings));
	if (!mappings)
		return loader_too_large(loader);
	for (size_t i = 0; i < message->n_mapping; i++) {
		const Perftools__Profiles__Mapping *from = message->mapping[i];
		struct profile_mapping *mapping = &mappings[i];

		mapping->path = loader_string(loader, from->filename);
		mapping->build_id = loader_string(loader, from->build_id);
		if (!mapping->path)
			return loader_bad_string(loader,
						 "a mapping's file name",
						 from->filename);
		if (!mapping->build_id)
			return loader_bad_string(loader, "a mapping's build id",
					  from->build_id);
		mapping->start = from->memory_start;
		mapping->limit = from->memory_limit;
		mapping->file_offset = from->file_offset;
	}
	loader->profile->mappings = mappings;
	loader->profile->mapping_count = (uint32_t)message->n_mapping;
	return 0;
}

/* ---- locations and the lines that the file itself gives them ---- */

static int check_functions(struct loader *loader)
{
	const Perftools__Profiles__Profile *message = loader->message;

	if (COLLECT_IDS(loader, function, &loader->functions))
		return -1;
	for (size_t i = 0; i < message->n_function; i++) {
		const Perftools__Profiles__Function *function =
			message->function[i];

		if (!loader_string(loader, function->name))
			return loader_bad_string(loader, "a function's name",
					  function->name);
		if (!loader_string(loader, function->filename))
			return loader_bad_string(loader, "a function's file",
					  function->filename);
	}
	return 0;
}

static int load_line(struct loader *loader, struct profile_line *line,
		     const Perftools__Profiles__Line *from)
{
	uint32_t place = id_map_find(&loader->functions, from->function_id);
	const Perftools__Profiles__Function *function;

	if (place == ID_MAP_NONE)
		return loader_bad_id(loader, "function", from->function_id);
	if (from->line < 0 || from->line > INT_MAX)
		return error_set(loader->error,
				 "%s: damaged profile: line number %" PRId64,
				 loader->name, from->line);
	function = loader->message->function[place];
	line->function = loader_string(loader, function->name);
	line->file = loader_string(loader, function->filename);
	line->line = (int)from->line;
	return 0;
}

static int load_location(struct loader *loader,
			 struct profile_location *location,
			 const Perftools__Profiles__Location *from)
{
	struct profile_line *lines = NULL;

	location->mapping = PROFILE_NO_MAPPING;
	if (from->mapping_id) {
		location->mapping =
			id_map_find(&loader->mappings, from->mapping_id);
		if (location->mapping == ID_MAP_NONE)
			return loader_bad_id(loader, "mapping",
					     from->mapping_id);
	}
	location->address = from->address;
	location->line_count = (uint32_t)from->n_line;
	if (from->n_line) {
		lines = arena_alloc(&loader->profile->arena,
				    from->n_line * sizeof(*lines));
		if (!lines || from->n_line > UINT32_MAX)
			return loader_too_large(loader);
	}
	for (size_t i = 0; i < from->n_line; i++) {
		if (load_line(loader, &lines[i], from->line[i]))
			return -1;
	}
	location->lines = lines;
	return 0;
}

static int load_locations(struct loader *loader)
{
	const Perftools__Profiles__Profile *message = loader->message;
	struct profile_location *locations;

	if (COLLECT_IDS(loader, location, &loader->locations))
		return -1;
	locations = arena_alloc(&loader->profile->arena,
				message->n_location * sizeof(*locations));
	if (!locations)
		return loader_too_large(loader);
	for (size_t i = 0; i < message->n_location; i++) {
		if (load_location(loader, &locations[i], message->location[i]))
			return -1;
	}
	loader->profile->locations = locations;
	loader->profile->location_count = (uint32_t)message->n_location;
	return 0;
}

int loader_frames(struct loader *loader)
{
	if (load_mappings(loader) || check_functions(loader) ||
	    load_locations(loader))
		return -1;
	return 0;
}
