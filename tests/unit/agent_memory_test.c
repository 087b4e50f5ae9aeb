/* The agent's memory: accounted, shared out, and never more than the limit. */
#include "agent/memory.h"

#include "agent/frames.h"
#include "agent/heap.h"
#include "agent/sampler.h"
#include "agent/sites.h"

#include "tests/support/agent_check.h"

#include <string.h>

enum { LIMIT = 8 << 20, PIECE = 64 * 1024 };

/* How much of it there is in pieces. */
static size_t use_up(enum la_memory_use use)
{
	size_t bytes = 0;

	while (la_memory_map_for(use, PIECE))
		bytes += PIECE;
	return bytes;
}

static int stacks_leave_half(void)
{
	la_memory_boot(LIMIT);
	return use_up(LA_MEMORY_STACKS) == LIMIT / 2 ? 0 : 1;
}

static int live_leaves_a_quarter(void)
{
	la_memory_boot(LIMIT);
	return use_up(LA_MEMORY_LIVE) == LIMIT / 4 * 3 ? 0 : 1;
}

static int each_leaves_something(void)
{
	size_t stacks, live, rest;

	la_memory_boot(LIMIT);
	live = use_up(LA_MEMORY_LIVE);
	stacks = use_up(LA_MEMORY_STACKS);
	if (use_up(LA_MEMORY_THREADS) != LIMIT / 16)
		return 3;
	rest = use_up(LA_MEMORY_REST);
	if (live + stacks != LIMIT / 8 * 7 || rest != LIMIT / 16)
		return 1;
	return la_memory_bytes() == LIMIT ? 0 : 2;
}

static int reserve_is_for_snapshots(void)
{
	void *memory;

	la_memory_boot(LIMIT);
	if (!la_memory_reserve(LIMIT / 4) || la_memory_reserve(LIMIT / 2))
		return 1;
	if (use_up(LA_MEMORY_STACKS) != LIMIT / 4 || la_memory_reserve(1))
		return 2;
	if (use_up(LA_MEMORY_REST) != LIMIT / 2)
		return 3;
	memory = la_memory_map_for(LA_MEMORY_SNAPSHOT, LIMIT / 4);
	if (!memory || la_memory_bytes() != LIMIT)
		return 4;
	la_memory_unmap_for(LA_MEMORY_SNAPSHOT, memory, LIMIT / 4);
	return la_memory_bytes() == LIMIT - LIMIT / 4 ? 0 : 5;
}

static int what_is_given_back_can_be_had_again(void)
{
	void *memory;

	la_memory_boot(LIMIT);
	memory = la_memory_map_for(LA_MEMORY_LIVE, LIMIT / 2 + 1);
	if (!memory || la_memory_map_for(LA_MEMORY_LIVE, LIMIT / 2))
		return 1;
	la_memory_unmap_for(LA_MEMORY_LIVE, memory, LIMIT / 2 + 1);
	return use_up(LA_MEMORY_LIVE) == LIMIT / 4 * 3 ? 0 : 2;
}

static int no_limit(void)
{
	la_memory_boot(0);
	return la_memory_limit() == 0 &&
			       la_memory_map_for(LA_MEMORY_STACKS,
						 (size_t)1 << 30) &&
			       la_memory_reserve((size_t)1 << 40) ?
		       0 :
		       1;
}

static int even_the_kernel_has_none(void)
{
	size_t before = la_memory_bytes();

	la_memory_boot(0);
	if (la_memory_map_for(LA_MEMORY_LIVE, (size_t)1 << 46))
		return 1;
	return la_memory_bytes() == before ? 0 : 2;
}

static void test_shares(void **state)
{
	(void)state;
	assert_int_equal(in_child(stacks_leave_half), 0);
	assert_int_equal(in_child(live_leaves_a_quarter), 0);
	assert_int_equal(in_child(each_leaves_something), 0);
}

static void test_reserve(void **state)
{
	(void)state;
	assert_int_equal(in_child(reserve_is_for_snapshots), 0);
}

static void test_giving_back(void **state)
{
	(void)state;
	assert_int_equal(in_child(what_is_given_back_can_be_had_again), 0);
}

static void test_without_a_limit(void **state)
{
	(void)state;
	assert_int_equal(in_child(no_limit), 0);
	assert_int_equal(in_child(even_the_kernel_has_none), 0);
}

/* ---- threads at the limit ---- */

enum { THREADS = 4 };

static void map_and_unmap(unsigned number)
{
	uint64_t seed = number;
	void *mine[16] = { NULL };
	size_t sizes[16] = { 0 };

	for (int i = 0; i < 20000; i++) {
		unsigned at = (unsigned)random_below(&seed, 16);

		la_memory_unmap_for(LA_MEMORY_LIVE, mine[at], sizes[at]);
		sizes[at] = 1 + random_below(&seed, LIMIT / 16);
		mine[at] = la_memory_map_for(LA_MEMORY_LIVE, sizes[at]);
		note_unless(la_memory_bytes() <= LIMIT / 4 * 3 +
						     THREADS * LIMIT / 16);
	}
	for (int at = 0; at < 16; at++)
		la_memory_unmap_for(LA_MEMORY_LIVE, mine[at], sizes[at]);
}

static int threads_at_the_limit(void)
{
	la_memory_boot(LIMIT);
	crew(THREADS, map_and_unmap);
	return la_memory_bytes() == 0 &&
			       use_up(LA_MEMORY_LIVE) == LIMIT / 4 * 3 ?
		       0 :
		       1;
}

static void test_threads_at_the_limit(void **state)
{
	(void)state;
	assert_int_equal(in_child(threads_at_the_limit), 0);
}

/* ---- what tables do without memory ---- */

static uint32_t untracked_site(enum la_kind kind)
{
	uint32_t node = la_node_find(LA_ROOT_NODE, LA_FRAME_ID_UNTRACKED);

	return la_sites_other(node, kind, 0);
}

/* New stacks until there is no room; how many had a site of their own. */
static unsigned make_stacks(void)
{
	unsigned stacks = 0;

	for (uint32_t stack = 0; stack < 1000000; stack++) {
		uint32_t frames[10], nodes[10];

		for (uint32_t i = 0; i < 10; i++)
			frames[i] = 1000 + stack * 10 + i;
		if (!la_nodes_add(LA_ROOT_NODE, frames, 10, nodes))
			return 0;
		if (la_sites_heap(nodes[9]) ==
		    untracked_site(LA_KIND_ID_HEAP))
			return stacks;
		stacks++;
	}
	return stacks;
}

static int stacks_beyond_the_limit(void)
{
	uint32_t known, node, made[3];
	const uint32_t frames[] = { 7, 8, 9 };

	la_memory_boot(LIMIT);
	if (la_sites_boot())
		return 1;
	node = la_node_find(LA_ROOT_NODE, LA_FRAME_ID_UNTRACKED);
	if (la_node_find(node, 7) != node)
		return 4;
	known = la_sites_heap(la_node_find(LA_ROOT_NODE, 5));
	if (make_stacks() < 20000)
		return 2;
	use_up(LA_MEMORY_STACKS);
	/* A few more find room, until there is none at all. */
	for (uint32_t i = 0; i < 100000; i++) {
		la_node_find(LA_ROOT_NODE, 20000000 + i);
		la_sites_other(known, LA_KIND_ID_THREAD, i);
	}
	if (la_node_find(LA_ROOT_NODE, 30000000) != node ||
	    !la_nodes_add(LA_ROOT_NODE, frames, 3, made) || made[2] != node)
		return 3;
	/* What is known stays so. */
	if (la_sites_heap(la_node_find(LA_ROOT_NODE, 5)) != known)
		return 4;
	for (int kind = LA_KIND_ID_MMAP; kind < LA_KINDS; kind++)
		if (la_sites_other(la_node_find(LA_ROOT_NODE, 5),
				   (enum la_kind)kind, 1 << 20) !=
		    untracked_site((enum la_kind)kind))
			return 5 + kind;
	/* A snapshot has its memory, whoever has taken the rest. */
	use_up(LA_MEMORY_LIVE);
	use_up(LA_MEMORY_REST);
	if (!la_memory_map_for(LA_MEMORY_SNAPSHOT,
			       la_sites_total() * LA_SITE_SNAPSHOT_BYTES))
		return 10;
	return la_memory_bytes() <= LIMIT ? 0 : 11;
}

static void test_stacks_beyond_the_limit(void **state)
{
	(void)state;
	assert_int_equal(in_child(stacks_beyond_the_limit), 0);
}

static void add_weight(void *argument, uintptr_t address,
		       struct la_block block, uint64_t interval)
{
	double *objects = argument;

	(void)address;
	*objects += 1 / la_sampler_chance(block.bytes, interval);
}

static int blocks_beyond_the_limit(void)
{
	enum { BLOCKS = 2000 * 1000 };
	struct la_block block = { 300, 1 };
	double objects = 0;

	la_memory_boot(LIMIT);
	la_sampler_boot(0, 1);
	for (uintptr_t i = 1; i <= BLOCKS; i++)
		if (!la_heap_insert(0x10000000 + 320 * i, block))
			return 1;
	la_heap_walk(add_weight, &objects);
	/* Some 250,000 of them are left: 1 % is 5 errors. */
	if (objects < BLOCKS * 0.99 || objects > BLOCKS * 1.01)
		return 2;
	return la_memory_bytes() <= LIMIT ? 0 : 3;
}

static void test_blocks_beyond_the_limit(void **state)
{
	(void)state;
	assert_int_equal(in_child(blocks_beyond_the_limit), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_giving_back),
		cmocka_unit_test(test_without_a_limit),
		cmocka_unit_test(test_threads_at_the_limit),
		cmocka_unit_test(test_stacks_beyond_the_limit),
		cmocka_unit_test(test_blocks_beyond_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
