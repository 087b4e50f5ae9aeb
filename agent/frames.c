/* See frames.h. */

#include "agent/frames.h"

#include "agent/array.h"
#include "agent/index.h"
#include "agent/lock.h"
#include "agent/modules.h"
#include "agent/system.h"

#include <errno.h>

static struct la_array frames =
	LA_ARRAY_OF(struct la_frame, LA_MEMORY_STACKS);
static struct la_index by_address;

static struct la_frame *frame_at(uint32_t id)
{
	return la_array_at(&frames, id);
}

const struct la_frame *la_frame_at(uint32_t id)
{
	return frame_at(id);
}

uint32_t la_frames_count(void)
{
	return la_array_count(&frames);
}

/* Searches without a lock for a frame that is true in `generation`. */
static uint32_t find_current(uintptr_t address, uint32_t generation)
{
	struct la_index_cursor cursor = { 0 };
	uint32_t hash = la_hash(address), id;

	while ((id = la_index_next(&by_address, hash, &cursor))) {
		const struct la_frame *frame = frame_at(id);

		if (frame->address == address &&
		    __atomic_load_n(&frame->generation, __ATOMIC_RELAXED) ==
			    generation)
			return id;
	}
	return 0;
}

/* Under LA_LOCK_FRAMES. Makes the frame of `module` the current one there. */
static uint32_t revive(uintptr_t address, uint32_t module, uint32_t generation)
{
	struct la_index_cursor cursor = { 0 };
	uint32_t hash = la_hash(address), id;

	while ((id = la_index_next(&by_address, hash, &cursor))) {
		struct la_frame *frame = frame_at(id);

		if (frame->address == address && frame->module == module) {
			__atomic_store_n(&frame->generation, generation,
					 __ATOMIC_RELAXED);
			return id;
		}
	}
	return 0;
}

/* Under LA_LOCK_FRAMES. */
static uint32_t add(const struct la_frame *from)
{
	static uint32_t reserved_for;
	struct la_frame *frame = la_array_reserve(&frames);
	uint32_t id = frames.count + 1;

	if (!frame || (id > reserved_for &&
		       !la_memory_reserve(LA_FRAME_SNAPSHOT_BYTES)))
		return 0;
	reserved_for = id;
	*frame = *from;
	if (la_index_add(&by_address, la_hash(from->address), id))
		return 0;
	return la_array_publish(&frames);
}

static uint32_t __attribute__((noinline)) find_slowly(uintptr_t address)
{
	uint32_t generation, module;

	do {
		generation = la_modules_generation();
		module = la_modules_find_own(address);
	} while (generation != la_modules_generation());
	if (!module)
		return LA_FRAME_ID_JIT;
	la_lock(LA_LOCK_FRAMES);
	uint32_t id = revive(address, module, generation);

	la_unlock(LA_LOCK_FRAMES);
	if (id)
		return id;

	struct la_frame frame = {
		.address = address,
		.module = module,
		.generation = generation,
		.rule = la_unwind_learn(address, la_module_at(module)),
		.ours = la_module_at(module)->ours,
	};

	la_lock(LA_LOCK_FRAMES);
	/* Another thread may have been here meanwhile. */
	id = revive(address, module, generation);
	if (!id)
		id = add(&frame);
	la_unlock(LA_LOCK_FRAMES);
	return id;
}

uint32_t la_frames_find(uintptr_t address, bool patient)
{
	uint32_t id = find_current(address, la_modules_generation());

	if (la_likely(id) || !patient)
		return id;
	return find_slowly(address);
}

int la_frames_boot(void)
{
	struct la_frame marker = { .rule.kind = LA_RULE_GUESS };

	/* The order makes their ids. */
	if (add(&marker) != LA_FRAME_ID_JIT)
		return -ENOMEM;
	if (add(&marker) != LA_FRAME_ID_TRUNCATED)
		return -ENOMEM;
	return add(&marker) == LA_FRAME_ID_UNTRACKED ? 0 : -ENOMEM;
}
