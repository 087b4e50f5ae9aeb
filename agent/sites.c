/* See sites.h. */

#include "agent/sites.h"

#include "agent/array.h"
#include "agent/estimates.h"
#include "agent/frames.h"
#include "agent/index.h"
#include "agent/lock.h"
#include "agent/sampler.h"

#include <errno.h>

static struct la_array sites = LA_ARRAY_OF(struct la_site, LA_MEMORY_STACKS);

/* The sites that are not behind their nodes. */
static struct la_index others;

static struct la_index by_way;

static uint32_t untracked[LA_KINDS];

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

static uint64_t stack_size_of(const struct la_site *site)
{
	return site->kind == LA_KIND_ID_HEAP ? 0 : site->stack_size;
}

static uint32_t hash_of(const struct la_site *site)
{
	return la_hash(((uint64_t)site->kind << 32 | site->node) ^
		       stack_size_of(site) * UINT64_C(0x9e3779b97f4a7c15));
}

static uint32_t find(const struct la_site *wanted)
{
	struct la_index_cursor cursor = { 0 };
	uint32_t hash = hash_of(wanted), id;

	while ((id = la_index_next(&others, hash, &cursor))) {
		const struct la_site *site = la_site_at(id);

		if (site->node == wanted->node && site->kind == wanted->kind &&
		    stack_size_of(site) == stack_size_of(wanted))
			return id;
	}
	return 0;
}

/* The functions below are under LA_LOCK_NODES. */

/* What the site's memory is not all of. */
static bool reserve(uint32_t id)
{
	static uint32_t last;

	if (id > last && !la_memory_reserve(LA_SITE_SNAPSHOT_BYTES))
		return false;
	last = id;
	return !la_sampler_interval || la_estimates_reserve(id);
}

static uint32_t add(const struct la_site *wanted)
{
	struct la_site *site = la_array_reserve(&sites);
	uint32_t id = sites.count + 1;

	if (!site || !reserve(id))
		return 0;
	*site = *wanted;
	if ((site->kind != LA_KIND_ID_HEAP ||
	     !la_node_put_site(site->node, id)) &&
	    la_index_add(&others, hash_of(site), id))
		return 0;
	return la_array_publish(&sites);
}

static uint32_t find_again(const struct la_site *wanted)
{
	uint32_t id = wanted->kind == LA_KIND_ID_HEAP ?
			      la_node_site(wanted->node) :
			      0;

	return id ? id : find(wanted);
}

uint32_t la_sites_other(uint32_t node, enum la_kind kind, uint64_t stack_size)
{
	const struct la_site wanted = {
		.node = node,
		.kind = kind,
		.stack_size = stack_size,
	};
	uint32_t id = find(&wanted);

	if (la_likely(id))
		return id;
	la_lock(LA_LOCK_NODES);
	id = find_again(&wanted);
	if (!id)
		id = add(&wanted);
	la_unlock(LA_LOCK_NODES);
	return id ? id : untracked[kind];
}

static uint32_t hash_of_way(la_way way)
{
	return (uint32_t)(way >> 29);
}

uint32_t la_sites_on_way(la_way way)
{
	struct la_index_cursor cursor = { 0 };
	uint32_t id;

	while ((id = la_index_next(&by_way, hash_of_way(way), &cursor)))
		if (site_at(id)->way == way)
			return id;
	return 0;
}

void la_sites_put_way(uint32_t id, la_way way)
{
	struct la_site *site = site_at(id);

	la_lock(LA_LOCK_NODES);
	if (!site->way) {
		site->way = way;
		la_index_add(&by_way, hash_of_way(way), id);
	}
	la_unlock(LA_LOCK_NODES);
}

int la_sites_boot(void)
{
	int error = la_nodes_boot();
	uint32_t node = error ? 0 :
				la_node_find(LA_ROOT_NODE,
					     LA_FRAME_ID_UNTRACKED);

	for (int kind = 0; !error && kind < LA_KINDS; kind++) {
		untracked[kind] = la_sites_other(node, (enum la_kind)kind, 0);
		error = untracked[kind] ? 0 : -ENOMEM;
	}
	return error;
}

void la_sites_count(uint32_t site_id, uint64_t objects, uint64_t bytes)
{
	struct la_counts *counts = &site_at(site_id)->allocated;

	__atomic_add_fetch(&counts->objects, objects, __ATOMIC_RELAXED);
	__atomic_add_fetch(&counts->bytes, bytes, __ATOMIC_RELAXED);
}
