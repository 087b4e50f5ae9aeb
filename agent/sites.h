/*
 * Stacks and what was allocated from them.
 *
 * All stacks form one tree: a node is a frame below its caller's node, so a
 * stack is the id of its leaf. A site is a stack with a kind (and, for threads,
 * a stack size): the unit that is counted and that becomes a sample. Ids start
 * at 1 and live as long as the process. Any thread.
 */
#ifndef LA_SITES_H
#define LA_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum la_kind { LA_KIND_ID_HEAP, LA_KIND_ID_MMAP, LA_KIND_ID_THREAD, LA_KINDS };

/* The stack of no frames. */
enum { LA_ROOT_NODE = 0 };

struct la_node {
	uint32_t caller; /* node, or LA_ROOT_NODE */
	uint32_t frame;
	uint32_t heap_site; /* the site of kind heap with this stack, or 0 */
};

/* What was ever allocated. */
struct la_counts {
	uint64_t objects;
	uint64_t bytes;
};

struct la_site {
	uint32_t node;
	uint32_t kind; /* enum la_kind */
	uint64_t stack_size; /* of threads: bytes */
	struct la_counts allocated; /* less what threads hold back, see state.h */
};

/* The node for `frame` called from `caller`, or 0 when memory ran out. */
uint32_t la_sites_node(uint32_t caller, uint32_t frame);

/* The same, but 0 where there is none yet. Takes no lock. */
uint32_t la_sites_known_node(uint32_t caller, uint32_t frame);

/*
 * The nodes for frames[0], called from `caller`, frames[1], called from that,
 * and so on, into made[]. False when memory ran out.
 */
bool la_sites_add_nodes(uint32_t caller, const uint32_t *frames, unsigned count,
			uint32_t *made);

/* The site for a stack, or 0 when memory ran out. */
uint32_t la_sites_heap(uint32_t node);
uint32_t la_sites_other(uint32_t node, enum la_kind kind, uint64_t stack_size);

void la_sites_count(uint32_t site, uint64_t objects, uint64_t bytes);

const struct la_node *la_node_at(uint32_t id);
const struct la_site *la_site_at(uint32_t id);
uint32_t la_sites_total(void);

#endif
