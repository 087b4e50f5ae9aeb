/*
 * What was allocated from which stack. A site is a stack with a kind (and, for
 * threads, a stack size): the unit that is counted and that becomes a sample.
 * Ids start at 1 and live as long as the process. Any thread.
 */
#ifndef LA_SITES_H
#define LA_SITES_H

#include "agent/nodes.h"
#include "agent/way.h"

#include <stddef.h>
#include <stdint.h>

enum la_kind { LA_KIND_ID_HEAP, LA_KIND_ID_MMAP, LA_KIND_ID_THREAD, LA_KINDS };

/* What was ever allocated. */
struct la_counts {
	uint64_t objects;
	uint64_t bytes;
};

struct la_site {
	uint32_t node;
	uint32_t kind; /* enum la_kind */
	union {
		uint64_t stack_size; /* of threads, in bytes; of maps 0 */
		la_way way;          /* of heap: that was put, or 0 */
	};
	struct la_counts allocated; /* less what threads hold back, see state.h */
};

/* Memory that a snapshot may want for each site: it is put by beforehand. */
enum { LA_SITE_SNAPSHOT_BYTES = 96 };

/* Makes the sites of what there is no memory for. 0 or -ENOMEM. */
int la_sites_boot(void);

/*
 * The site for a stack; when memory ran out, the one of its kind for all
 * [untracked stacks].
 */
uint32_t la_sites_other(uint32_t node, enum la_kind kind, uint64_t stack_size);

static inline uint32_t la_sites_heap(uint32_t node)
{
	uint32_t site = la_node_site(node);

	return la_likely(site) ? site :
				 la_sites_other(node, LA_KIND_ID_HEAP, 0);
}

/* The site (kind heap) that a way was put for, or 0. Takes no lock. */
uint32_t la_sites_on_way(la_way way);

/*
 * Puts the way of a site's stack, so that la_sites_on_way finds it; the first
 * that is put stays, if there is memory for it.
 */
void la_sites_put_way(uint32_t site, la_way way);

void la_sites_count(uint32_t site, uint64_t objects, uint64_t bytes);

const struct la_site *la_site_at(uint32_t id);
uint32_t la_sites_total(void);

#endif
