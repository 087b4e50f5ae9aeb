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

la_shadow_entry *la_shadow_extend(uintptr_t address, enum la_shadow_layer layer)
{
	void **root = (void **)&la_shadow_root[address >>
					       (LA_SHADOW_REGION_BITS +
						LA_SHADOW_BRANCH_BITS)];
	struct la_shadow_branch *branch = have(root, sizeof(*branch));
	unsigned region = (address >> LA_SHADOW_REGION_BITS) &
			  ((1u << LA_SHADOW_BRANCH_BITS) - 1);

	if (!branch || !have((void **)&branch->regions[layer][region],
			     LA_SHADOW_REGION_ENTRIES *
				     sizeof(la_shadow_entry)))
		return NULL;
	return la_shadow_at(address, layer);
}

static bool insert_into(uintptr_t address, enum la_shadow_layer layer,
			la_shadow_entry now)
{
	la_shadow_entry *entry = la_shadow_at(address, layer);
	la_shadow_entry was;

	if (!entry)
		entry = la_shadow_extend(address, layer);
	if (!entry)
		return false;
	was = __atomic_load_n(entry, __ATOMIC_RELAXED);
	do {
		if (was && !la_shadow_is_at(was, address))
			return false;
	} while (!__atomic_compare_exchange_n(entry, &was, now, false,
					      __ATOMIC_RELEASE,
					      __ATOMIC_RELAXED));
	return true;
}

bool la_shadow_insert_crowded(uintptr_t address, la_shadow_entry now)
{
	return insert_into(address, LA_SHADOW_FIRST, now) ||
	       insert_into(address, LA_SHADOW_SECOND, now);
}

static bool has(uintptr_t address, enum la_shadow_layer layer)
{
	const la_shadow_entry *entry = la_shadow_at(address, layer);

	return entry &&
	       la_shadow_is_at(__atomic_load_n(entry, __ATOMIC_RELAXED), address);
}

bool la_shadow_has(uintptr_t address)
{
	return !(address >> LA_SHADOW_ADDRESS_BITS) &&
	       (has(address, LA_SHADOW_FIRST) || has(address, LA_SHADOW_SECOND));
}

static la_shadow_entry entry_in(const la_shadow_entry *region, unsigned i)
{
	return region ? __atomic_load_n(&region[i], __ATOMIC_ACQUIRE) : 0;
}

/* Where both layers have a block, the end of the second's was missed. */
static bool same_place(la_shadow_entry entry, la_shadow_entry other)
{
	const uint32_t place = ((1u << LA_SHADOW_PLACE_BITS) - 1)
			       << LA_SHADOW_SIZE_BITS;

	return entry && !((entry ^ other) & place);
}

static void walk_region(const struct la_shadow_branch *branch, unsigned at,
			void (*visit)(void *argument, la_shadow_entry entry),
			void *argument)
{
	const la_shadow_entry *first = __atomic_load_n(
		&branch->regions[LA_SHADOW_FIRST][at], __ATOMIC_ACQUIRE);
	const la_shadow_entry *second = __atomic_load_n(
		&branch->regions[LA_SHADOW_SECOND][at], __ATOMIC_ACQUIRE);

	for (unsigned i = 0; (first || second) && i < LA_SHADOW_REGION_ENTRIES;
	     i++) {
		la_shadow_entry entry = entry_in(first, i);
		la_shadow_entry other = entry_in(second, i);

		if (entry)
			visit(argument, entry);
		if (other && !same_place(entry, other))
			visit(argument, other);
	}
}

void la_shadow_walk(void (*visit)(void *argument, la_shadow_entry entry),
		    void *argument)
{
	for (unsigned i = 0; i < 1 << LA_SHADOW_ROOT_BITS; i++) {
		const struct la_shadow_branch *branch = __atomic_load_n(
			&la_shadow_root[i], __ATOMIC_ACQUIRE);

		for (unsigned at = 0;
		     branch && at < 1 << LA_SHADOW_BRANCH_BITS; at++)
			walk_region(branch, at, visit, argument);
	}
}
