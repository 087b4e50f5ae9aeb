/*
 * Changes into rows: which place of a stack it counts for, and which places
 * are the same row. Source frames are interned, so that keys compare pointers.
 */
#include "diff/rows.h"

#include <stdlib.h>
#include <string.h>

struct row_key {
	const char *function, *file, *module;
	uint64_t offset;
	uint32_t build; /* where `offset` counts: module number + 1 */
	uint32_t stack;
	int line;
	enum kind kind;
};

struct membership {
	uint32_t row, change;
};

struct grouping {
	struct growth *growth;
	struct resolver *resolver;
	enum group_by by;
	struct row_key *keys; /* by row */
	uint32_t *newest;     /* by row: the last change that joined, + 1 */
	struct membership *memberships;
	size_t membership_count;
	size_t key_capacity, row_capacity, newest_capacity;
	size_t membership_capacity;
	struct hash_index index;
};

struct lookup {
	const struct grouping *grouping;
	const struct row_key *key;
};

static bool same_row(const void *key, uint32_t item)
{
	const struct lookup *lookup = key;
	const struct row_key *a = lookup->key;
	const struct row_key *b = &lookup->grouping->keys[item];

	return a->function == b->function && a->file == b->file &&
	       a->module == b->module && a->offset == b->offset &&
	       a->build == b->build && a->stack == b->stack &&
	       a->line == b->line && a->kind == b->kind;
}

static uint64_t hash_row(const struct row_key *key)
{
	uint64_t hash = hash_mix(key->kind, (uintptr_t)key->function);

	hash = hash_mix(hash, (uintptr_t)key->file);
	hash = hash_mix(hash, (uintptr_t)key->module);
	hash = hash_mix(hash, key->offset + key->build);
	return hash_mix(hash, (uint64_t)key->stack << 32 | (uint32_t)key->line);
}

/* ---- places ---- */

/* Where a frame's code is. */
struct code {
	const struct module *module; /* or NULL */
	uint32_t build;
	uint64_t offset;
};

static const char *module_name(const struct code *code)
{
	return code->module ? code->module->name : NULL;
}

static void key_by_address(struct row_key *key, const struct code *code)
{
	key->build = code->build;
	key->offset = code->offset;
}

/*
 * Without a line only the address tells two calls of a function apart; when
 * there are several builds of the module, addresses tell nothing.
 */
static void key_by_callsite(struct row_key *key, struct row_place *place,
			    const struct code *code)
{
	key->function = place->function;
	key->file = place->file;
	key->line = place->line;
	key->module = module_name(code);
	if (!place->line && !(place->function && code->module &&
			      code->module->rebuilt))
		key_by_address(key, code);
}

static void key_by_function(struct row_key *key, struct row_place *place,
			    const struct code *code)
{
	key->function = place->function;
	key->module = module_name(code);
	place->line = 0;
	if (place->function)
		place->has_address = false;
	else
		key_by_address(key, code);
}

static void key_by_file(struct row_key *key, struct row_place *place,
			const struct code *code)
{
	key->file = place->file;
	if (!place->file)
		key->module = module_name(code);
	place->function = NULL;
	place->line = 0;
	place->has_address = false;
}

static void key_by_module(struct row_key *key, struct row_place *place,
			  const struct code *code)
{
	key->module = module_name(code);
	/* Code of no module is at least [jit], or what the file calls it. */
	if (code->module)
		place->function = NULL;
	else
		key->function = place->function;
	place->file = NULL;
	place->line = 0;
	place->has_address = false;
}

static void make_key(const struct grouping *grouping, struct row_key *key,
		     struct row_place *place)
{
	const struct stacks *stacks = grouping->resolver->stacks;
	struct code code = {0};

	if (place->frame != GROWTH_NO_FRAME) {
		const struct frame *frame = &stacks->frames[place->frame];

		code.offset = frame->offset;
		code.build = frame->module + 1;
		if (frame->module != STACKS_NO_MODULE)
			code.module = &stacks->modules[frame->module];
	}
	place->has_address = code.module != NULL;
	switch (grouping->by) {
	case BY_CALLSITE:
		key_by_callsite(key, place, &code);
		break;
	case BY_FUNCTION:
		key_by_function(key, place, &code);
		break;
	case BY_LINE:
		if (place->line && place->file) {
			key->file = place->file;
			key->line = place->line;
		} else {
			key_by_callsite(key, place, &code);
		}
		break;
	case BY_FILE:
		key_by_file(key, place, &code);
		break;
	case BY_MODULE:
		key_by_module(key, place, &code);
		break;
	case BY_STACK:
		break; /* the caller set it */
	}
}

static struct row_place place_at(const struct grouping *grouping,
				 uint32_t frame, uint32_t source)
{
	uint32_t count;
	const struct source_frame *sources =
		resolver_source(grouping->resolver, frame, &count);

	return (struct row_place){
		.function = sources[source].function,
		.file = sources[source].file,
		.line = sources[source].line,
		.frame = frame,
	};
}

/* ---- rows ---- */

static uint32_t find_row(struct grouping *grouping, const struct row_key *key,
			 const struct row_place *place)
{
	struct growth *growth = grouping->growth;
	const struct lookup lookup = {grouping, key};
	uint64_t hash = hash_row(key);
	uint32_t number = hash_index_find(&grouping->index, hash, same_row,
					  &lookup);

	if (number != HASH_INDEX_NONE)
		return number;
	number = (uint32_t)growth->row_count;
	growth->rows = memory_extend(growth->rows, number,
				     &grouping->row_capacity,
				     sizeof(*growth->rows));
	grouping->keys = memory_extend(grouping->keys, number,
				       &grouping->key_capacity,
				       sizeof(*grouping->keys));
	grouping->newest = memory_extend(grouping->newest, number,
					 &grouping->newest_capacity,
					 sizeof(*grouping->newest));
	growth->rows[number] = (struct row){.kind = key->kind, .place = *place};
	grouping->keys[number] = *key;
	grouping->newest[number] = 0;
	growth->row_count++;
	hash_index_add(&grouping->index, hash, number);
	return number;
}

static void join(struct grouping *grouping, uint32_t row_number,
		 uint32_t change_number)
{
	struct growth *growth = grouping->growth;
	struct row *row = &growth->rows[row_number];

	/* A recursive function counts once. */
	if (grouping->newest[row_number] == change_number + 1)
		return;
	grouping->newest[row_number] = change_number + 1;
	values_add(&row->values,
		   &growth->changes[change_number].values);
	row->change_count++;
	grouping->memberships = memory_extend(
		grouping->memberships, grouping->membership_count,
		&grouping->membership_capacity,
		sizeof(*grouping->memberships));
	grouping->memberships[grouping->membership_count++] =
		(struct membership){row_number, change_number};
}

static void group_change(struct grouping *grouping, uint32_t number)
{
	uint32_t stack_number = grouping->growth->changes[number].stack;
	const struct stack *stack =
		&grouping->resolver->stacks->stacks[stack_number];
	struct place at = callsite_of(grouping->resolver, stack);
	struct row_place place = {.frame = GROWTH_NO_FRAME};
	struct row_key key = {.kind = stack->kind};

	if (stack->depth)
		place = place_at(grouping, stack->frames[at.position],
				 at.source);
	if (grouping->by == BY_STACK)
		key.stack = stack_number + 1;
	make_key(grouping, &key, &place);
	join(grouping, find_row(grouping, &key, &place), number);
}

static void group_change_everywhere(struct grouping *grouping,
				    uint32_t number)
{
	const struct stack *stack =
		&grouping->resolver->stacks
			 ->stacks[grouping->growth->changes[number].stack];

	for (uint32_t i = 0; i < stack->depth; i++) {
		uint32_t count;

		resolver_source(grouping->resolver, stack->frames[i], &count);
		for (uint32_t j = 0; j < count; j++) {
			struct row_place place =
				place_at(grouping, stack->frames[i], j);
			struct row_key key = {.kind = stack->kind};

			make_key(grouping, &key, &place);
			join(grouping, find_row(grouping, &key, &place),
			     number);
		}
	}
}

/* Lists each row's changes one after the other. */
static void list_members(struct grouping *grouping)
{
	struct growth *growth = grouping->growth;
	uint32_t **next = memory_alloc(growth->row_count, sizeof(*next));
	uint32_t *members = memory_alloc(grouping->membership_count,
					 sizeof(*members));
	size_t done = 0;

	for (size_t i = 0; i < growth->row_count; i++) {
		next[i] = members + done;
		growth->rows[i].changes = next[i];
		done += growth->rows[i].change_count;
	}
	for (size_t i = 0; i < grouping->membership_count; i++) {
		const struct membership *member = &grouping->memberships[i];

		*next[member->row]++ = member->change;
	}
	growth->members = members;
	free(next);
}

void rows_group(struct growth *growth, const struct growth_options *options,
		struct resolver *resolver)
{
	struct grouping grouping = {
		.growth = growth, .resolver = resolver, .by = options->by};

	for (size_t i = 0; i < growth->change_count; i++) {
		if (options->cumulative && options->by != BY_STACK)
			group_change_everywhere(&grouping, (uint32_t)i);
		else
			group_change(&grouping, (uint32_t)i);
	}
	list_members(&grouping);
	free(grouping.keys);
	free(grouping.newest);
	free(grouping.memberships);
	hash_index_free(&grouping.index);
}
