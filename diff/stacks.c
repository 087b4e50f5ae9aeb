/*
 * Interns modules, frames and stacks bottom up: what is equal has equal
 * numbers, and so a stack is compared as a list of numbers.
 */
#include "diff/stacks.h"

#include "diff/base_name.h"

#include <stdlib.h>
#include <string.h>

/* ---- modules ---- */

struct module_key {
	const struct stacks *stacks;
	const char *path, *build_id;
};

static bool same_module(const void *key, uint32_t item)
{
	const struct module_key *wanted = key;
	const struct module *module = &wanted->stacks->modules[item];

	if (*wanted->build_id || *module->build_id)
		return !strcmp(wanted->build_id, module->build_id);
	return !strcmp(wanted->path, module->path);
}

struct name_key {
	const struct stacks *stacks;
	const char *name;
};

static bool same_name(const void *key, uint32_t item)
{
	const struct name_key *wanted = key;

	return wanted->name == wanted->stacks->modules[item].name;
}

/* Two modules of one name: two builds of it. */
static void mark_rebuilt(struct stacks *stacks, uint32_t number)
{
	struct module *module = &stacks->modules[number];
	const struct name_key key = {stacks, module->name};
	uint64_t hash = hash_mix(0, (uintptr_t)module->name);
	uint32_t other = hash_index_find(&stacks->module_names, hash,
					 same_name, &key);

	if (other == HASH_INDEX_NONE) {
		hash_index_add(&stacks->module_names, hash, number);
		return;
	}
	stacks->modules[other].rebuilt = true;
	module->rebuilt = true;
}

static uint32_t add_module(struct stacks *stacks,
			   const struct profile_mapping *mapping)
{
	const struct module_key key = {stacks, mapping->path,
				       mapping->build_id};
	bool has_id = *mapping->build_id;
	uint64_t hash = hash_text(has_id ? mapping->build_id : mapping->path);
	uint32_t number = hash_index_find(&stacks->module_index, hash,
					  same_module, &key);
	struct module *module;

	if (number == HASH_INDEX_NONE) {
		number = (uint32_t)stacks->module_count;
		stacks->modules = memory_extend(
			stacks->modules, number, &stacks->module_capacity,
			sizeof(*stacks->modules));
		module = &stacks->modules[number];
		memset(module, 0, sizeof(*module));
		module->path = strings_intern(&stacks->strings, mapping->path);
		module->name = strings_intern(&stacks->strings,
					      base_name(mapping->path));
		module->build_id = strings_intern(&stacks->strings,
						  mapping->build_id);
		stacks->module_count++;
		hash_index_add(&stacks->module_index, hash, number);
		mark_rebuilt(stacks, number);
	}
	module = &stacks->modules[number];
	module->start = mapping->start;
	module->limit = mapping->limit;
	module->file_offset = mapping->file_offset;
	return number;
}

/* ---- frames ---- */

struct frame_key {
	const struct stacks *stacks;
	uint32_t module;
	uint32_t source_count;
	uint64_t offset;
	const struct source_frame *sources;
};

static bool same_source(const struct source_frame *a,
			const struct source_frame *b)
{
	return a->function == b->function && a->file == b->file &&
	       a->line == b->line;
}

static bool same_frame(const void *key, uint32_t item)
{
	const struct frame_key *wanted = key;
	const struct frame *frame = &wanted->stacks->frames[item];

	if (wanted->module != frame->module ||
	    wanted->source_count != frame->source_count)
		return false;
	if (!wanted->source_count)
		return wanted->offset == frame->offset;
	for (uint32_t i = 0; i < wanted->source_count; i++) {
		if (!same_source(&wanted->sources[i], &frame->sources[i]))
			return false;
	}
	return true;
}

static uint64_t hash_frame(const struct frame_key *key)
{
	uint64_t hash = hash_mix(key->module, key->source_count);

	if (!key->source_count)
		return hash_mix(hash, key->offset);
	for (uint32_t i = 0; i < key->source_count; i++) {
		hash = hash_mix(hash, (uintptr_t)key->sources[i].function);
		hash = hash_mix(hash, (uintptr_t)key->sources[i].file);
		hash = hash_mix(hash, (uint64_t)key->sources[i].line);
	}
	return hash;
}

/* The lines that the file gives, with strings that can be compared. */
static void take_lines(struct stacks *stacks, struct frame_key *key,
		       const struct profile_location *location)
{
	struct source_frame *sources;
	uint32_t count = 0;

	sources = arena_alloc(&stacks->arena,
			      location->line_count * sizeof(*sources));
	for (uint32_t i = 0; i < location->line_count; i++) {
		const struct profile_line *line = &location->lines[i];

		if (!*line->function)
			continue;
		sources[count++] = (struct source_frame){
			.function = strings_intern(&stacks->strings,
						   line->function),
			.file = *line->file ? strings_intern(&stacks->strings,
							     line->file) :
					      NULL,
			.line = line->line,
			.inlined = true,
		};
	}
	if (count)
		sources[count - 1].inlined = false;
	key->sources = sources;
	key->source_count = count;
}

static uint32_t add_frame(struct stacks *stacks, const struct profile *profile,
			  const struct profile_location *location,
			  const uint32_t *module_of)
{
	struct frame_key key = {.stacks = stacks, .module = STACKS_NO_MODULE,
				.offset = location->address};
	uint32_t number;
	uint64_t hash;

	if (location->mapping != PROFILE_NO_MAPPING) {
		const struct profile_mapping *mapping =
			&profile->mappings[location->mapping];

		key.module = module_of[location->mapping];
		key.offset = location->address - mapping->start +
			     mapping->file_offset;
	}
	if (location->line_count)
		take_lines(stacks, &key, location);
	hash = hash_frame(&key);
	number = hash_index_find(&stacks->frame_index, hash, same_frame, &key);
	if (number != HASH_INDEX_NONE)
		return number;
	number = (uint32_t)stacks->frame_count;
	stacks->frames = memory_extend(stacks->frames, number,
				       &stacks->frame_capacity,
				       sizeof(*stacks->frames));
	stacks->frames[number] = (struct frame){
		.module = key.module,
		.offset = key.offset,
		.sources = key.sources,
		.source_count = key.source_count,
		.resolved = key.source_count > 0,
	};
	stacks->frame_count++;
	hash_index_add(&stacks->frame_index, hash, number);
	return number;
}

/* ---- stacks ---- */

struct stack_key {
	const struct stacks *stacks;
	const uint32_t *frames;
	uint32_t depth;
	enum kind kind;
};

static bool same_stack(const void *key, uint32_t item)
{
	const struct stack_key *wanted = key;
	const struct stack *stack = &wanted->stacks->stacks[item];

	return wanted->depth == stack->depth && wanted->kind == stack->kind &&
	       !memcmp(wanted->frames, stack->frames,
		       wanted->depth * sizeof(*wanted->frames));
}

static uint32_t add_stack(struct stacks *stacks, const uint32_t *frames,
			  uint32_t depth, enum kind kind)
{
	const struct stack_key key = {stacks, frames, depth, kind};
	uint64_t hash = hash_mix(kind, depth);
	uint32_t number;
	uint32_t *copy;

	for (uint32_t i = 0; i < depth; i++)
		hash = hash_mix(hash, frames[i]);
	number = hash_index_find(&stacks->stack_index, hash, same_stack, &key);
	if (number != HASH_INDEX_NONE)
		return number;
	number = (uint32_t)stacks->stack_count;
	copy = arena_alloc(&stacks->arena, depth * sizeof(*copy));
	memcpy(copy, frames, depth * sizeof(*copy));
	stacks->stacks = memory_extend(stacks->stacks, number,
				       &stacks->stack_capacity,
				       sizeof(*stacks->stacks));
	stacks->stacks[number] = (struct stack){copy, depth, kind};
	stacks->stack_count++;
	hash_index_add(&stacks->stack_index, hash, number);
	return number;
}

/* ---- profiles ---- */

static uint32_t deepest(const struct profile *profile)
{
	uint32_t depth = 0;

	for (uint32_t i = 0; i < profile->sample_count; i++) {
		if (profile->samples[i].depth > depth)
			depth = profile->samples[i].depth;
	}
	return depth;
}

void stacks_add_profile(struct stacks *stacks, const struct profile *profile,
			uint32_t *stack_of)
{
	uint32_t *module_of = memory_alloc(profile->mapping_count,
					   sizeof(*module_of));
	uint32_t *frame_of = memory_alloc(profile->location_count,
					  sizeof(*frame_of));
	uint32_t *frames = memory_alloc(deepest(profile), sizeof(*frames));

	for (uint32_t i = 0; i < profile->mapping_count; i++)
		module_of[i] = add_module(stacks, &profile->mappings[i]);
	for (uint32_t i = 0; i < profile->location_count; i++)
		frame_of[i] = add_frame(stacks, profile,
					&profile->locations[i], module_of);
	for (uint32_t i = 0; i < profile->sample_count; i++) {
		const struct profile_sample *sample = &profile->samples[i];

		for (uint32_t j = 0; j < sample->depth; j++)
			frames[j] = frame_of[sample->locations[j]];
		stack_of[i] = add_stack(stacks, frames, sample->depth,
					sample->kind);
	}
	free(module_of);
	free(frame_of);
	free(frames);
}

void stacks_free(struct stacks *stacks)
{
	strings_free(&stacks->strings);
	free(stacks->modules);
	free(stacks->frames);
	free(stacks->stacks);
	hash_index_free(&stacks->module_index);
	hash_index_free(&stacks->module_names);
	hash_index_free(&stacks->frame_index);
	hash_index_free(&stacks->stack_index);
	arena_free(&stacks->arena);
	memset(stacks, 0, sizeof(*stacks));
}
