/* See shadow.h. */

#include "agent/shadow.h"

#include "agent/memory.h"

struct la_shadow_branch *la_shadow_root[1 << LA_SHADOW_ROOT_BITS];
bool la_shadow_crowded = true;
bool la_shadow_slabs;

/* What *place holds, or else new memory; when two race, one's is given back. */
static void *have(void **place, size_t bytes)
{
	void *there = __atomic_load_n(place, __ATOMIC_ACQUIRE);
	void *fresh;

	if (there)
		return there;
	fresh = la_memory_map_for(LA_MEMORY_LIVE, bytes);
	if (!fresh)
		return NULL;
	if (__atomic_compare_exchange_n(place, &there, fresh, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return fresh;
	la_memory_unmap_for(LA_MEMORY_LIVE, fresh, bytes);
	return there;
}

la_shadow_entry *la_shadow_extend(uintptr_t address)
{
	void **root = (void **)&la_shadow_root[address >>
					       (LA_SHADOW_REGION_BITS +
						LA_SHADOW_BRANCH_BITS)];
	struct la_shadow_branch *branch = have(root, sizeof(*branch));
	unsigned region = (address >> LA_SHADOW_REGION_BITS) &
			  ((1u << LA_SHADOW_BRANCH_BITS) - 1);

	if (!branch || !have((void **)&branch->regions[region],
			     LA_SHADOW_REGION_ENTRIES *
				     sizeof(la_shadow_entry)))
		return NULL;
	return la_shadow_at(address);
}

static void walk_region(const la_shadow_entry *entries,
			void (*visit)(void *argument, la_shadow_entry entry),
			void *argument)
{
	for (unsigned i = 0; i < LA_SHADOW_REGION_ENTRIES; i++) {
		la_shadow_entry entry =
			__atomic_load_n(&entries[i], __ATOMIC_RELAXED);

		if (entry)
			visit(argument, entry);
	}
}

void la_shadow_walk(void (*visit)(void *argument, la_shadow_entry entry),
		    void *argument)
{
	for (unsigned i = 0; i < 1 << LA_SHADOW_ROOT_BITS; i++) {
		const struct la_shadow_branch *branch = __atomic_load_n(
			&la_shadow_root[i], __ATOMIC_ACQUIRE);

		for (unsigned at = 0;
		     branch && at < 1 << LA_SHADOW_BRANCH_BITS; at++) {
			const la_shadow_entry *region = __atomic_load_n(
				&branch->regions[at], __ATOMIC_ACQUIRE);

			if (region)
				walk_region(region, visit, argument);
		}
	}
}
