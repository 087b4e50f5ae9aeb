/* See nodes.h. */

#include "agent/nodes.h"

#include "agent/frames.h"
#include "agent/index.h"
#include "agent/lock.h"

#include <errno.h>

struct la_array la_node_words = LA_ARRAY_OF(uint32_t, LA_MEMORY_STACKS);

/* The nodes that are not behind their callers. */
static struct la_index branches;

static uint32_t untracked;

static uint32_t word_of(enum la_word_kind kind, uint32_t value)
{
	return (uint32_t)kind << LA_WORD_BITS | value;
}

static bool is_branch(uint32_t word)
{
	return word >> LA_WORD_BITS == LA_WORD_BRANCH;
}

struct la_node la_node_at(uint32_t node)
{
	uint32_t word = la_node_word(node);
	uint32_t caller = node - 1;

	if (is_branch(word))
		caller = la_node_word(node - 1) & LA_WORD_VALUE;
	return (struct la_node){ .caller = caller,
				 .frame = word & LA_WORD_VALUE };
}

static uint32_t hash_of(uint32_t caller, uint32_t frame)
{
	return la_hash((uint64_t)caller << 32 | frame);
}

static uint32_t find_branch(uint32_t caller, uint32_t frame)
{
	struct la_index_cursor cursor = { 0 };
	uint32_t hash = hash_of(caller, frame), id;

	while ((id = la_index_next(&branches, hash, &cursor)))
		if (la_node_word(id) == word_of(LA_WORD_BRANCH, frame) &&
		    la_node_word(id - 1) == word_of(LA_WORD_CALLER, caller))
			return id;
	return 0;
}

/* Whether the word behind the caller is the node. */
static bool is_next(uint32_t caller, uint32_t frame)
{
	return caller != LA_ROOT_NODE &&
	       la_node_word(caller + 1) == word_of(LA_WORD_NODE, frame);
}

static uint32_t find(uint32_t caller, uint32_t frame)
{
	return is_next(caller, frame) ? caller + 1 : find_branch(caller, frame);
}

/* The functions below are under LA_LOCK_NODES. */

static uint32_t append(uint32_t word)
{
	uint32_t *place = la_array_reserve(&la_node_words);

	if (!place || la_node_words.count >= LA_WORD_VALUE)
		return 0;
	__atomic_store_n(place, word, __ATOMIC_RELEASE);
	return la_array_publish(&la_node_words);
}

/* Whether the next word is the last of its chunk, and none for a node. */
static bool at_chunk_end(void)
{
	uint32_t in_chunk = (1u << la_node_words.chunk_bits) - 1;

	return ((la_node_words.count + 1) & in_chunk) == in_chunk;
}

static uint32_t add_branch(uint32_t caller, uint32_t frame)
{
	uint32_t id;

	if (!append(word_of(LA_WORD_CALLER, caller)))
		return 0;
	if (at_chunk_end() && !append(word_of(LA_WORD_CALLER, caller)))
		return 0;
	/* A caller at a chunk's end is followed by its node in the next. */
	id = append(word_of(LA_WORD_BRANCH, frame));
	return id && !la_index_add(&branches, hash_of(caller, frame), id) ? id :
									   0;
}

static uint32_t add(uint32_t caller, uint32_t frame)
{
	if (caller != LA_ROOT_NODE && caller == la_node_words.count &&
	    !at_chunk_end())
		return append(word_of(LA_WORD_NODE, frame));
	return add_branch(caller, frame);
}

/* Of a node that was just made, nothing is called yet. */
static uint32_t find_or_add(uint32_t caller, uint32_t frame, bool *made)
{
	uint32_t id = 0;

	if (untracked && caller == untracked)
		return untracked;
	if (!*made)
		id = find(caller, frame);
	if (!id) {
		id = add(caller, frame);
		*made = id != 0;
	}
	return id ? id : untracked;
}

bool la_nodes_add(uint32_t caller, const uint32_t *frames, unsigned count,
		  uint32_t *made)
{
	bool is_new = false;
	unsigned done;

	la_lock(LA_LOCK_NODES);
	for (done = 0; done < count; done++) {
		caller = made[done] = find_or_add(caller, frames[done],
						  &is_new);
		if (!caller)
			break;
	}
	la_unlock(LA_LOCK_NODES);
	return done == count;
}

uint32_t la_node_known(uint32_t caller, uint32_t frame)
{
	return find(caller, frame);
}

uint32_t la_node_find(uint32_t caller, uint32_t frame)
{
	uint32_t id = find(caller, frame);

	return la_likely(id) || la_nodes_add(caller, &frame, 1, &id) ? id : 0;
}

bool la_node_put_site(uint32_t node, uint32_t site)
{
	return node == la_node_words.count &&
	       append(word_of(LA_WORD_SITE, site));
}

int la_nodes_boot(void)
{
	untracked = la_node_find(LA_ROOT_NODE, LA_FRAME_ID_UNTRACKED);
	return untracked ? 0 : -ENOMEM;
}
