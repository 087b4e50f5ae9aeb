/* What the stack on a trail is called, see trail_steps.h. */

#include "agent/trail_steps.h"

#include "agent/lock.h"
#include "agent/nodes.h"
#include "agent/sites.h"
#include "agent/stack.h"

enum { NODES_TOGETHER = 16 };

/* ---- nodes ---- */

/* A new stack takes several locks: one calm for all of them. */
static void be_calm(struct la_trail *trail)
{
	if (!trail->calm)
		la_calm_begin();
	trail->calm = true;
}

/* Fills in the nodes that there are; the number of steps that have theirs. */
static unsigned find_nodes(struct la_trail *trail, unsigned at, uint32_t node)
{
	for (; at < trail->count; at++) {
		struct step *step = &trail->steps[at];

		if (step->has_place)
			node = la_node_known(node, step->place.id);
		if (!node)
			break;
		step->node = node;
	}
	return at;
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
		if (trail->steps[at].has_place)
			node = nodes[count++];
		trail->steps[at].node = node;
	}
	return at;
}

/* Gives all steps their nodes. False when memory ran out. */
static bool name_steps(struct la_trail *trail)
{
	uint32_t caller = LA_ROOT_NODE;
	unsigned named = trail->count, at;

	while (named > 0 && !trail->steps[named - 1].node)
		named--;
	if (named > 0)
		caller = trail->steps[named - 1].node;
	else if (trail->outcome == TRAIL_LOST)
		caller = la_node_find(LA_ROOT_NODE, LA_FRAME_ID_TRUNCATED);
	at = find_nodes(trail, named, caller);
	while (at < trail->count) {
		unsigned done;

		be_calm(trail);
		done = make_nodes(trail, at,
				  at > named ? trail->steps[at - 1].node :
					       caller);
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

uint32_t la_trail_node(struct la_state *state, struct la_trail *trail)
{
	const struct step *leaf = &trail->steps[trail->count - 1];

	if (leaf->shown > la_stack_depth())
		return truncated_node(state, trail, la_stack_depth());
	if (trail->outcome == TRAIL_CUT || !name_steps(trail))
		return 0;
	/* Nothing but the agent's own frames has no node. */
	return leaf->node ? leaf->node :
			    la_node_find(LA_ROOT_NODE, LA_FRAME_ID_TRUNCATED);
}

/* ---- sites ---- */

/* Of the frames that are left out of a stack that is deeper than is kept. */
static la_way way_left_out(const struct la_trail *trail, unsigned left_out)
{
	const struct step *step =
		&trail->steps[trail->count - 1 - la_stack_depth()];

	/* Steps that are not shown lie in between. */
	while (step->shown > left_out)
		step--;
	return step->way;
}

static uint64_t power_of(struct la_trail *trail, unsigned depth)
{
	if (la_unlikely(trail->depth != depth)) {
		trail->depth = depth;
		trail->depth_power = la_way_power(depth);
	}
	return trail->depth_power;
}

/* The way of the stack on the trail; 0 when that does not tell. */
static la_way way_of(struct la_trail *trail)
{
	const struct step *leaf = &trail->steps[trail->count - 1];
	unsigned depth = la_stack_depth();

	if (la_likely(leaf->shown <= depth))
		return trail->outcome == TRAIL_CUT ? 0 : leaf->way;
	return la_way_truncated(leaf->way,
				way_left_out(trail, leaf->shown - depth),
				power_of(trail, depth));
}

static uint32_t named_site(struct la_state *state, struct la_trail *trail)
{
	uint32_t node = la_trail_node(state, trail);

	return node ? la_sites_heap(node) : 0;
}

uint32_t la_trail_site(struct la_state *state, struct la_trail *trail)
{
	la_way way = way_of(trail);
	unsigned slot = la_memo_slot(way, SITE_MEMO_BITS);
	uint32_t site;

	if (!way)
		return 0;
	if (la_likely(trail->site_memo[slot].way == way))
		return trail->site_memo[slot].site;
	site = la_sites_on_way(way);
	if (!site) {
		site = named_site(state, trail);
		if (!site)
			return 0;
		be_calm(trail);
		la_sites_put_way(site, way);
	}
	trail->site_memo[slot].way = way;
	trail->site_memo[slot].site = site;
	return site;
}
