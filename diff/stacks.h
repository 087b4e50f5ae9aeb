/*
 * The modules, frames and stacks of all snapshots under comparison, each
 * distinct one once. Frames are the same when module (by build id, else path)
 * and place in the file are; so restarts, address randomisation and other
 * hosts make no difference. A frame whose source lines the file itself gives
 * is known by those instead of its address.
 * Owns everything it hands out; one thread at a time.
 */
#ifndef DIFF_STACKS_H
#define DIFF_STACKS_H

#include "diff/profile.h"
#include "diff/strings.h"
#include "diff/symbolize.h"

#define STACKS_NO_MODULE UINT32_MAX

struct module {
	const char *path; /* as first seen, "" if unknown */
	const char *name; /* its last component; interned */
	const char *build_id;
	uint64_t start, limit, file_offset; /* where it was seen last */
	struct symbol_module *symbols;      /* source.c's; NULL = not opened */
	bool rebuilt; /* the snapshots hold another build of it as well */
};

struct frame {
	uint32_t module; /* or STACKS_NO_MODULE */
	uint32_t source_count;
	uint64_t offset; /* in the module's file; 0 without a module */
	/* Innermost first. source.c fills them in where the file did not. */
	const struct source_frame *sources;
	bool resolved;
};

struct stack {
	const uint32_t *frames; /* leaf first */
	uint32_t depth;
	enum kind kind;
};

struct stacks {
	struct strings strings;
	struct module *modules;
	struct frame *frames;
	struct stack *stacks;
	size_t module_count, frame_count, stack_count;
	size_t module_capacity, frame_capacity, stack_capacity;
	struct hash_index module_index, module_names;
	struct hash_index frame_index, stack_index;
	struct arena arena;
};

/*
 * Adds the stacks of a profile; stack_of[i] becomes the number of the stack of
 * sample i. The profile may be freed afterwards.
 */
void stacks_add_profile(struct stacks *stacks, const struct profile *profile,
			uint32_t *stack_of);

void stacks_free(struct stacks *stacks);

#endif
