/* See sites.h. */

#include "agent/sites.h"

#include "agent/array.h"
#include "agent/estimates.h"
#include "agent/index.h"
#include "agent/lock.h"
#include "agent/sampler.h"
#include "agent/system.h"

static struct la_array nodes = LA_ARRAY_OF(struct la_node);
static struct la_array sites = LA_ARRAY_OF(struct la_site);
static struct la_index node_index;
/* Sites of kinds other than heap: those are found through their node. */
static struct la_index other_index;

const struct la_node *la_node_at(uint32_t id)
{
	return la_array_at(&nodes, id);
}

static struct la_site *site_at(uint32_t id)
{
	return la_array_at(&sites, id);
}

const struct la_site *la_site_at(uint32_t id)
{
	return site_at(id);
}

uint32_t la_sites_total(void)
{
	return la_array_count(&sites);
}

static uint32_t find_node(uint32_t hash, uint32_t caller, uint32_t frame)
{
	struct la_index_cursor cursor = { 0 };
	uint32_t id;

	while ((id = la_index_next(&node_index, hash, &cursor))) {
		const struct la_node *node = la_node_at(id);

		if (node->caller == caller && node->frame == frame)
			return id;
	}
	return 0;
}

/* Under LA_LOCK_NODES. */
static uint32_t add_node(uint32_t hash, uint32_t caller, uint32_t frame)
{
	struct la_node *node = la_array_reserve(&nodes);

	if (!node)
		return 0;
	*node = (struct la_node){ .caller = caller, .frame = frame };
	if (la_index_add(&node_index, hash, nodes.count + 1))
		return 0;
	return la_array_publish(&nodes);
}

static uint32_t hash_of(uint32_t caller, uint32_t frame)
{
	return la_hash((uint64_t)caller << 32 | frame);
}

uint32_t la_sites_known_node(uint32_t caller, uint32_t frame)
{
	return find_node(hash_of(caller, frame), caller, frame);
}

bool la_sites_add_nodes(uint32_t caller, const uint32_t *frames, unsigned count,
			uint32_t *made)
{
	unsigned done;

	la_lock(LA_LOCK_NODES);
	for (done = 0; done < count; done++) {
		uint32_t hash = hash_of(caller, frames[done]);
		uint32_t id = find_node(hash, caller, frames[done]);

		if (!id)
			id = add_node(hash, caller, frames[done]);
		if (!id)
			break;
		caller = made[done] = id;
	}
	la_unlock(LA_LOCK_NODES);
	return done == count;
}

uint32_t la_sites_node(uint32_t caller, uint32_t frame)
{
	uint32_t id = la_sites_known_node(caller, frame);

	if (la_likely(id))
		return id;
	return la_sites_add_nodes(caller, &frame, 1, &id) ? id : 0;
}

/* Under LA_LOCK_NODES. */
static uint32_t add_site(uint32_t node, enum la_kind kind, uint64_t stack_size)
{
	struct la_site *site = la_array_reserve(&sites);

	if (!site || (la_sampler_interval &&
		      !la_estimates_reserve(sites.count + 1)))
		return 0;
	*site = (struct la_site){ .node = node,
				  .kind = kind,
				  .stack_size = stack_size };
	return la_array_publish(&sites);
}

uint32_t la_sites_heap(uint32_t node_id)
{
	struct la_node *node = la_array_at(&nodes, node_id);
	uint32_t site = __atomic_load_n(&node->heap_site, __ATOMIC_ACQUIRE);

	if (la_likely(site))
		return site;
	la_lock(LA_LOCK_NODES);
	if (!node->heap_site)
		__atomic_store_n(&node->heap_site,
				 add_site(node_id, LA_KIND_ID_HEAP, 0),
				 __ATOMIC_RELEASE);
	site = node->heap_site;
	la_unlock(LA_LOCK_NODES);
	return site;
}

uint32_t la_sites_other(uint32_t node, enum la_kind kind, uint64_t stack_size)
{
	uint32_t hash = la_hash(((uint64_t)kind << 32 | node) ^
				stack_size * UINT64_C(0x9e3779b97f4a7c15));
	struct la_index_cursor cursor = { 0 };
	uint32_t id;

	la_lock(LA_LOCK_NODES);
	while ((id = la_index_next(&other_index, hash, &cursor))) {
		const struct la_site *site = la_site_at(id);

		if (site->node == node && site->kind == kind &&
		    site->stack_size == stack_size)
			break;
	}
	if (!id) {
		id = add_site(node, kind, stack_size);
		if (id && la_index_add(&other_index, hash, id))
			id = 0;
	}
	la_unlock(LA_LOCK_NODES);
	return id;
}

void la_sites_count(uint32_t site_id, uint64_t objects, uint64_t bytes)
{
	struct la_counts *counts = &site_at(site_id)->allocated;

	__atomic_add_fetch(&counts->objects, objects, __ATOMIC_RELAXED);
	__atomic_add_fetch(&counts->bytes, bytes, __ATOMIC_RELAXED);
}
