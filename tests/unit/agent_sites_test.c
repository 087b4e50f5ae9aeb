/* Stacks as a tree, sites on it, and what is counted there. */
#include "agent/sites.h"

#include "tests/support/agent_check.h"

#include <string.h>

static uint32_t stack_of(const uint32_t *frames, uint32_t count)
{
	uint32_t node = LA_ROOT_NODE;

	while (count-- > 0) {
		node = la_node_find(node, frames[count]);
		assert_int_not_equal(node, 0);
	}
	return node;
}

static void test_same_stack_same_node(void **state)
{
	static const uint32_t frames[] = { 9, 8, 7, 7, 7, 3 };
	uint32_t node = stack_of(frames, array_length(frames));

	(void)state;
	assert_int_equal(stack_of(frames, array_length(frames)), node);
	for (size_t i = 0; i < array_length(frames); i++) {
		assert_int_equal(la_node_at(node).frame, frames[i]);
		node = la_node_at(node).caller;
	}
	assert_int_equal(node, LA_ROOT_NODE);
}

static void test_other_stack_other_node(void **state)
{
	static const uint32_t stacks[][3] = {
		{ 20, 21, 22 }, { 21, 20, 22 }, { 20, 22, 21 }, { 20, 20, 22 },
		{ 20, 21, 21 },
	};
	uint32_t nodes[array_length(stacks)];

	(void)state;
	for (size_t i = 0; i < array_length(stacks); i++) {
		nodes[i] = stack_of(stacks[i], 3);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(nodes[i], nodes[j]);
	}
	/* A part of a stack is a stack of its own. */
	assert_int_not_equal(stack_of(stacks[0] + 1, 2), nodes[0]);
	assert_int_equal(la_node_at(nodes[0]).caller,
			 stack_of(stacks[0] + 1, 2));
}

static void test_many_nodes(void **state)
{
	enum { NODES = 200 * 1000 };
	static uint32_t nodes[NODES];
	uint64_t seed = 1;

	(void)state;
	for (uint32_t i = 0; i < NODES; i++) {
		uint32_t caller = i ? nodes[random_below(&seed, i)] : 0;

		nodes[i] = la_node_find(caller, 1000 + i);
	}
	seed = 1;
	for (uint32_t i = 0; i < NODES; i++) {
		uint32_t caller = i ? nodes[random_below(&seed, i)] : 0;

		assert_int_equal(la_node_find(caller, 1000 + i), nodes[i]);
		assert_int_equal(la_node_at(nodes[i]).caller, caller);
		assert_int_equal(la_node_at(nodes[i]).frame, 1000 + i);
	}
}

/*
 * So many that some have the same hash of 32 bits: of one caller, of one frame,
 * and of one node.
 */
enum { MANY = 300 * 1000 };

static void test_equal_hashes_of_nodes(void **state)
{
	uint32_t caller = la_node_find(LA_ROOT_NODE, 77);

	(void)state;
	for (uint32_t i = 1; i <= MANY; i++) {
		uint32_t node = la_node_find(caller, 3000000 + i);

		assert_int_equal(la_node_at(node).frame, 3000000 + i);
		node = la_node_find(node, 78);
		assert_int_equal(la_node_at(la_node_at(node).caller).frame,
				 3000000 + i);
	}
}

static void test_equal_hashes_of_sites(void **state)
{
	uint32_t node = la_node_find(LA_ROOT_NODE, 79);

	(void)state;
	for (uint64_t size = 1; size <= MANY; size++) {
		uint32_t site = la_sites_other(node, LA_KIND_ID_THREAD, size);

		assert_int_equal(la_site_at(site)->stack_size, size);
	}
}

static void test_sites_by_kind_and_stack_size(void **state)
{
	static const uint64_t stack_sizes[] = { 0, 1, 8 << 20,
						UINT64_C(1) << 40 };
	uint32_t node = la_node_find(LA_ROOT_NODE, 50);
	uint32_t other = la_node_find(LA_ROOT_NODE, 51);
	uint32_t sites[2 * array_length(stack_sizes) + 3], count = 0;

	(void)state;
	sites[count++] = la_sites_heap(node);
	sites[count++] = la_sites_heap(other);
	sites[count++] = la_sites_other(node, LA_KIND_ID_MMAP, 0);
	for (size_t i = 0; i < array_length(stack_sizes); i++) {
		sites[count++] = la_sites_other(node, LA_KIND_ID_THREAD,
						stack_sizes[i]);
		sites[count++] = la_sites_other(other, LA_KIND_ID_THREAD,
						stack_sizes[i]);
		assert_int_equal(la_site_at(sites[count - 1])->stack_size,
				 stack_sizes[i]);
		assert_int_equal(la_site_at(sites[count - 1])->node, other);
		assert_int_equal(la_site_at(sites[count - 1])->kind,
				 LA_KIND_ID_THREAD);
	}
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t j = 0; j < i; j++)
			assert_int_not_equal(sites[i], sites[j]);
	assert_int_equal(la_sites_heap(node), sites[0]);
	assert_int_equal(la_site_at(sites[0])->kind, LA_KIND_ID_HEAP);
	assert_int_equal(la_site_at(sites[0])->node, node);
	assert_int_equal(la_sites_other(node, LA_KIND_ID_MMAP, 0), sites[2]);
	assert_int_equal(la_sites_other(node, LA_KIND_ID_THREAD, 0), sites[3]);
}

static void test_sites_are_numbered_without_gaps(void **state)
{
	uint32_t before = la_sites_total();

	(void)state;
	for (uint32_t i = 1; i <= 10000; i++) {
		uint32_t node = la_node_find(LA_ROOT_NODE, 2000000 + i);
		uint32_t site = i % 2 ? la_sites_heap(node) :
					la_sites_other(node, LA_KIND_ID_MMAP,
						       0);

		assert_int_equal(site, before + i);
	}
	assert_int_equal(la_sites_total(), before + 10000);
}

static void test_counts(void **state)
{
	uint32_t site = la_sites_heap(la_node_find(LA_ROOT_NODE, 60));
	const struct la_counts *counts = &la_site_at(site)->allocated;

	(void)state;
	assert_int_equal(counts->objects, 0);
	assert_int_equal(counts->bytes, 0);
	la_sites_count(site, 1, UINT64_C(5) << 40);
	la_sites_count(site, 3, 7);
	la_sites_count(site, 0, 1);
	assert_int_equal(counts->objects, 4);
	assert_true(counts->bytes == (UINT64_C(5) << 40) + 8);
}

/* ---- threads that make the same stacks at the same time ---- */

enum { THREADS = 4, KEYS = 30000, COUNTED = 16 };

static uint32_t node_of[THREADS][KEYS], site_of[THREADS][KEYS];
static uint32_t counted[COUNTED];

static void make_all(unsigned number)
{
	for (uint32_t i = 0; i < KEYS; i++) {
		uint32_t node = la_node_find(LA_ROOT_NODE, 5000000 + i / 2);

		node = la_node_find(node, 6000000 + i);
		node_of[number][i] = node;
		site_of[number][i] =
			i % 3 ? la_sites_heap(node) :
				la_sites_other(node, LA_KIND_ID_THREAD, i % 6);
		/* What another thread has made is whole. */
		note_unless(la_node_at(node).frame == 6000000 + i);
		note_unless(la_site_at(site_of[number][i])->node == node);
	}
	for (uint32_t i = 0; i < 100 * COUNTED; i++)
		la_sites_count(counted[i % COUNTED], 1, i);
}

static void test_threads_agree(void **state)
{
	uint32_t sites_before = la_sites_total();

	(void)state;
	for (uint32_t i = 0; i < COUNTED; i++)
		counted[i] = la_sites_heap(la_node_find(LA_ROOT_NODE, 70 + i));
	crew(THREADS, make_all);
	for (unsigned number = 1; number < THREADS; number++) {
		assert_memory_equal(node_of[number], node_of[0],
				    sizeof(node_of[0]));
		assert_memory_equal(site_of[number], site_of[0],
				    sizeof(site_of[0]));
	}
	assert_int_equal(la_sites_total(), sites_before + COUNTED + KEYS);
	for (uint32_t i = 0; i < COUNTED; i++) {
		const struct la_counts *counts =
			&la_site_at(counted[i])->allocated;

		assert_int_equal(counts->objects, THREADS * 100);
		assert_int_equal(counts->bytes,
				 THREADS * (100 * i + COUNTED * 99 * 50));
	}
}

static void test_ways(void **state)
{
	const la_way way = 12345678901234567, other = way ^ 1;
	uint32_t frames[] = { 61, 62 };
	uint32_t first = la_sites_heap(stack_of(frames, 1));
	uint32_t second = la_sites_heap(stack_of(frames, 2));

	(void)state;
	assert_int_equal(la_sites_on_way(way), 0);
	la_sites_put_way(first, way);
	la_sites_put_way(second, other);
	assert_int_equal(la_sites_on_way(way), first);
	/* The index keeps half of a way: these two are alike there. */
	assert_int_equal(la_sites_on_way(other), second);
	assert_int_equal(la_sites_on_way(way ^ 2), 0);
	la_sites_put_way(first, way ^ 2);
	assert_int_equal(la_sites_on_way(way ^ 2), 0);
	assert_int_equal(la_sites_on_way(way), first);
	/* It stays the site of its stack. */
	assert_int_equal(la_sites_heap(stack_of(frames, 1)), first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_same_stack_same_node),
		cmocka_unit_test(test_other_stack_other_node),
		cmocka_unit_test(test_many_nodes),
		cmocka_unit_test(test_equal_hashes_of_nodes),
		cmocka_unit_test(test_equal_hashes_of_sites),
		cmocka_unit_test(test_sites_by_kind_and_stack_size),
		cmocka_unit_test(test_sites_are_numbered_without_gaps),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_threads_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
