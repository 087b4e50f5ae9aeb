/* The nodes of a trail's steps, see trail_steps.h. */

#include "agent/trail_steps.h"

#include "agent/lock.h"
#include "agent/nodes.h"
#include "agent/stack.h"

enum { NODES_TOGETHER = 16 };

static unsigned node_slot(uint32_t caller, uint32_t frame)
{
	return la_memo_slot((uint64_t)caller << 32 | frame, NODE_MEMO_BITS);
}

static void memorise_node(struct la_trail *trail, uint32_t caller,
			  uint32_t frame, uint32_t node)
{
	unsigned slot = node_slot(caller, frame);

	trail->node_memo[slot].caller = caller;
	trail->node_memo[slot].frame = frame;
	trail->node_memo[slot].node = node;
}

/* The node, or 0 when there is none yet. */
static inline uint32_t known_node(struct la_trail *trail, uint32_t caller,
				  uint32_t frame)
{
	unsigned slot = node_slot(caller, frame);
	uint32_t node;

	if (la_likely(trail->node_memo[slot].caller == caller &&
		      trail->node_memo[slot].frame == frame))
		return trail->node_memo[slot].node;
	node = la_node_known(caller, frame);
	if (node)
		memorise_node(trail, caller, frame, node);
	return node;
}

/* Fills in the nodes that there are; the number of steps that have theirs. */
static unsigned find_nodes(struct la_trail *trail, unsigned at, uint32_t node)
{
	const struct step *end = &trail->steps[trail->count];
	struct step *step = &trail->steps[at];

	for (; step < end; step++) {
		if (step->has_place)
			node = known_node(trail, node, step->place.id);
		if (!node)
			break;
		step->node = node;
	}
	return (unsigned)(step - trail->steps);
}

/* Makes nodes for steps from `at` on; how many have theirs then. */
static unsigned make_nodes(struct la_trail *trail, unsigned at, uint32_t node)
{
	uint32_t frames[NODES_TOGETHER] = { 0 }, nodes[NODES_TOGETHER];
	unsigned count = 0, end = at;

	for (; end < trail->count && count < NODES_TOGETHER; end++)
		if (trail->steps[end].has_place)
			frames[count++] = trail->steps[end].place.id;
	if (!la_nodes_add(node, frames, count, nodes))
		return at;
	for (count = 0; at < end; at++) {
		if (trail->steps[at].has_place) {
			memorise_node(trail, node, frames[count], nodes[count]);
			node = nodes[count++];
		}
		trail->steps[at].node = node;
	}
	return at;
}

/* The nodes of the steps from `from` on, which is called from `caller`. */
static bool name_steps(struct la_trail *trail, unsigned from, uint32_t caller)
{
	unsigned at = find_nodes(trail, from, caller);

	/* A new stack takes several locks: one calm for all of them. */
	if (at < trail->count && !trail->calm) {
		trail->calm = true;
		la_calm_begin();
	}
	while (at < trail->count) {
		unsigned done = make_nodes(
			trail, at, at > from ? trail->steps[at - 1].node : caller);

		if (done == at)
			return false;
		at = done;
	}
	return true;
}

/* The node of a stack that is deeper than is kept: of its leaf side. */
static uint32_t truncated_node(struct la_state *state,
			       const struct la_trail *trail, unsigned most)
{
	struct la_capture capture = { .truncated = true };

	for (unsigned i = trail->count; i-- > 0 && capture.count < most;)
		if (trail->steps[i].has_place)
			state->frames[capture.count++] = trail->steps[i].place.id;
	return la_stack_node(state->frames, capture);
}

/* The node of what is on the trail; 0 when that does not tell, or no memory. */
static uint32_t trail_node(struct la_state *state, struct la_trail *trail)
{
	const struct step *leaf = &trail->steps[trail->count - 1];

	if (leaf->shown > la_stack_depth())
		return truncated_node(state, trail, la_stack_depth());
	if (trail->outcome == TRAIL_CUT)
		return 0;
	/* Nothing but the agent's own frames has no node. */
	return leaf->node ? leaf->node :
			    la_node_find(LA_ROOT_NODE, LA_FRAME_ID_TRUNCATED);
}

uint32_t la_trail_name(struct la_state *state, struct la_trail *trail,
		       unsigned from)
{
	uint32_t caller = from ? trail->steps[from - 1].node : LA_ROOT_NODE;

	/* The nodes of a stack that was cut lead nowhere. */
	if (trail->outcome == TRAIL_CUT) {
		for (unsigned at = from; at < trail->count; at++)
			trail->steps[at].node = 0;
		return trail_node(state, trail);
	}
	if (!from && trail->outcome == TRAIL_LOST)
		caller = la_node_find(LA_ROOT_NODE, LA_FRAME_ID_TRUNCATED);
	return name_steps(trail, from, caller) ? trail_node(state, trail) : 0;
}
