/*
 * Stacks, as one tree: a node is a frame below its caller's node, so a stack is
 * the id of its leaf. Nodes live as long as the process. Any thread.
 *
 * A node is one word, its frame, when its caller is the word before: most of a
 * stack is made at one go. Otherwise a word before it tells the caller, and an
 * index finds it. Behind the node of a stack that allocates is a word with that
 * stack's site.
 */
#ifndef LA_NODES_H
#define LA_NODES_H

#include "agent/array.h"
#include "agent/system.h"
#include "agent/visibility.h"

#include <stdbool.h>
#include <stdint.h>

/* The stack of no frames. */
enum { LA_ROOT_NODE = 0 };

/* What a word is, in its upper two bits. */
enum la_word_kind { LA_WORD_NODE, LA_WORD_BRANCH, LA_WORD_SITE, LA_WORD_CALLER };

enum { LA_WORD_BITS = 30 };

#define LA_WORD_VALUE ((1u << LA_WORD_BITS) - 1)

struct la_node {
	uint32_t caller; /* node, or LA_ROOT_NODE */
	uint32_t frame;
};

extern LA_HIDDEN struct la_array la_node_words;

/* Makes the node that stands for all that there is no memory for. */
int la_nodes_boot(void);

/*
 * The node for `frame` called from `caller`; when memory ran out, the node of
 * the one frame [untracked stacks], whose callees are all itself.
 */
uint32_t la_node_find(uint32_t caller, uint32_t frame);

/* The same, but 0 where there is none yet. Takes no lock. */
uint32_t la_node_known(uint32_t caller, uint32_t frame);

/*
 * The nodes for frames[0], called from `caller`, frames[1], called from that,
 * and so on, into made[]. False when memory ran out before la_nodes_boot.
 */
bool la_nodes_add(uint32_t caller, const uint32_t *frames, unsigned count,
		  uint32_t *made);

struct la_node la_node_at(uint32_t node);

static inline uint32_t la_node_word(uint32_t id)
{
	return __atomic_load_n((uint32_t *)la_array_at(&la_node_words, id),
			       __ATOMIC_ACQUIRE);
}

/*
 * The site that was put behind a node, or 0: the last place of a chunk is never
 * a node's, so the word behind it is always there.
 */
static inline uint32_t la_node_site(uint32_t node)
{
	uint32_t word = la_node_word(node + 1);

	return la_likely(word >> LA_WORD_BITS == LA_WORD_SITE) ?
		       word & LA_WORD_VALUE :
		       0;
}

/*
 * Puts a site behind a node. False when something else is there already, or
 * memory ran out. Under LA_LOCK_NODES.
 */
bool la_node_put_site(uint32_t node, uint32_t site);

#endif
