/* See live.h. */

#include "agent/live.h"

#include "agent/lock.h"
#include "agent/state.h"

#include <stddef.h>

bool la_live_insert_other(uintptr_t address, struct la_block block)
{
	/* What is in both is over in the table: see visit_other. */
	la_shadow_remove(address);
	return la_heap_insert(address, block);
}

bool la_live_put_back(uintptr_t address, struct la_block block)
{
	return (!la_sampler_interval &&
		la_shadow_insert(address, block.bytes, block.site)) ||
	       la_heap_put_back(address, block);
}

bool la_live_resize(uintptr_t address, uint64_t bytes, struct la_block *was)
{
	la_shadow_entry entry = la_shadow_remove(address);

	if (!entry)
		return la_heap_resize(address, bytes, was);
	*was = la_live_block_of(entry);
	/* A neighbour may have taken the entry. */
	return la_live_insert(address, (struct la_block){ bytes, was->site });
}

bool la_live_remove_inside(uintptr_t address, struct la_block *block,
			   bool *found)
{
	la_shadow_entry was = la_shadow_remove(address);

	*found = was;
	if (was) {
		*block = la_live_block_of(was);
	} else if (!la_lock_any_held()) {
		*found = la_heap_remove(address, block);
	} else if (!la_heap_busy(address)) {
		return la_heap_remove_briefly(address, block, found);
	} else if (!la_heap_remove_later(address)) {
		la_drop();
	}
	return true;
}

struct walk {
	void (*visit)(void *argument, struct la_block block, uint64_t interval);
	void *argument;
};

static void visit_small(void *argument, la_shadow_entry entry)
{
	const struct walk *walk = argument;

	walk->visit(walk->argument, la_live_block_of(entry), 0);
}

static void visit_other(void *argument, uintptr_t address,
			struct la_block block, uint64_t interval)
{
	const struct walk *walk = argument;

	/* Where a small block is, the end of what was before it was missed. */
	if (!la_shadow_has(address))
		walk->visit(walk->argument, block, interval);
}

void la_live_walk(void (*visit)(void *argument, struct la_block block,
				uint64_t interval),
		  void *argument)
{
	struct walk walk = { visit, argument };

	la_shadow_walk(visit_small, &walk);
	la_heap_walk(visit_other, &walk);
}
