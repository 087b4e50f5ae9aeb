/* The live small blocks by address: what fits, who is in the way, boundaries. */
#define _GNU_SOURCE

#include "agent/live.h"
#include "agent/memory.h"

#include "tests/support/agent_check.h"

#include <string.h>

enum { GRANULE = 1 << LA_SHADOW_GRANULE_BITS };

static const uintptr_t region = (uintptr_t)1 << LA_SHADOW_REGION_BITS;
static const uintptr_t branch =
	(uintptr_t)1 << (LA_SHADOW_REGION_BITS + LA_SHADOW_BRANCH_BITS);
static const uintptr_t beyond = (uintptr_t)1 << LA_SHADOW_ADDRESS_BITS;
static const uintptr_t somewhere = 0x7e2000000000;

static void assert_removed(uintptr_t address, uint32_t bytes, uint32_t site)
{
	la_shadow_entry was = la_shadow_remove(address);

	assert_int_not_equal(was, 0);
	assert_int_equal(la_shadow_bytes(was), bytes);
	assert_int_equal(la_shadow_site(was), site);
	assert_int_equal(la_shadow_remove(address), 0);
}

struct totals {
	uint64_t blocks, bytes, sites;
};

static void add_up(void *argument, la_shadow_entry entry)
{
	struct totals *totals = argument;

	totals->blocks++;
	totals->bytes += la_shadow_bytes(entry);
	totals->sites += la_shadow_site(entry);
}

static struct totals all_blocks(void)
{
	struct totals totals = { 0 };

	la_shadow_walk(add_up, &totals);
	return totals;
}

static void test_sizes_and_sites(void **state)
{
	static const uint32_t sites[] = { 1, 2, 1000, LA_SHADOW_MOST_SITE };

	(void)state;
	for (uint32_t bytes = 0; bytes < 256; bytes++)
		for (size_t i = 0; i < array_length(sites); i++) {
			assert_true(la_shadow_insert(somewhere, bytes,
						     sites[i]));
			assert_removed(somewhere, bytes, sites[i]);
		}
	assert_false(la_shadow_insert(somewhere, 256, 1));
	assert_false(la_shadow_insert(somewhere, UINT64_C(1) << 32, 1));
	assert_false(la_shadow_insert(somewhere, UINT64_MAX, 1));
	assert_false(la_shadow_insert(somewhere, 1, LA_SHADOW_MOST_SITE + 1));
	assert_false(la_shadow_insert(somewhere, 1, UINT32_MAX));
	assert_int_equal(la_shadow_remove(somewhere), 0);
	assert_int_equal(all_blocks().blocks, 0);
}

static void test_replaced(void **state)
{
	(void)state;
	assert_true(la_shadow_insert(somewhere + 8, 10, 1));
	assert_true(la_shadow_insert(somewhere + 8, 20, 2));
	assert_int_equal(all_blocks().blocks, 1);
	assert_removed(somewhere + 8, 20, 2);
}

/* Of the blocks in one granule, two have entries until they go. */
static void test_neighbours(void **state)
{
	(void)state;
	la_shadow_crowded = true;
	for (uintptr_t first = 0; first < GRANULE; first += 8) {
		uintptr_t second = somewhere + (first + 8) % GRANULE;
		uintptr_t third = somewhere + (first + 16) % GRANULE;

		assert_true(la_shadow_insert(somewhere + first, 7, 3));
		assert_true(la_shadow_insert(second, 9, 4));
		assert_false(la_shadow_insert(third, 11, 5));
		assert_int_equal(la_shadow_remove(third), 0);
		assert_true(la_shadow_insert(somewhere + first, 8, 6));
		assert_true(la_shadow_insert(second, 10, 7));
		assert_int_equal(all_blocks().blocks, 2);
		assert_int_equal(all_blocks().bytes, 18);
		assert_true(la_shadow_has(second));
		assert_false(la_shadow_has(third));
		assert_removed(somewhere + first, 8, 6);
		assert_true(la_shadow_insert(third, 11, 5));
		assert_removed(second, 10, 7);
		assert_removed(third, 11, 5);
	}
}

/* The end of a block was missed, and the one now there has the other entry. */
static void test_neighbour_replaced_unseen(void **state)
{
	(void)state;
	la_shadow_crowded = true;
	assert_true(la_shadow_insert(somewhere, 7, 3));
	assert_true(la_shadow_insert(somewhere + 16, 9, 4));
	assert_removed(somewhere, 7, 3);
	assert_true(la_shadow_insert(somewhere + 16, 10, 5));
	assert_int_equal(all_blocks().blocks, 1);
	assert_int_equal(all_blocks().bytes, 10);
	assert_int_equal(la_shadow_bytes(la_shadow_remove(somewhere + 16)), 10);
	la_shadow_remove(somewhere + 16);
}

static void test_boundaries(void **state)
{
	const uintptr_t addresses[] = {
		16,
		region - GRANULE,
		region,
		region + GRANULE + 24,
		branch - 8,
		branch,
		5 * branch + 7 * region - GRANULE,
		5 * branch + 7 * region,
		beyond - GRANULE,
	};

	(void)state;
	for (size_t i = 0; i < array_length(addresses); i++)
		assert_true(la_shadow_insert(addresses[i], i, (uint32_t)i + 1));
	assert_int_equal(all_blocks().blocks, array_length(addresses));
	assert_int_equal(all_blocks().bytes, 0 + 1 + 2 + 3 + 4 + 5 + 6 + 7 + 8);
	for (size_t i = 0; i < array_length(addresses); i++)
		assert_removed(addresses[i], (uint32_t)i, (uint32_t)i + 1);
	assert_int_equal(all_blocks().blocks, 0);
}

static void test_addresses_of_no_process(void **state)
{
	const uintptr_t addresses[] = { beyond, beyond + 16, (uintptr_t)1 << 56,
					UINTPTR_MAX - 31 };

	(void)state;
	for (size_t i = 0; i < array_length(addresses); i++) {
		assert_false(la_shadow_insert(addresses[i], 10, 1));
		assert_int_equal(la_shadow_remove(addresses[i]), 0);
	}
}

/* What is not there takes no memory to look for. */
static void test_memory(void **state)
{
	uintptr_t nowhere = 0x123400000000;
	size_t before = la_memory_bytes();

	(void)state;
	assert_int_equal(la_shadow_remove(nowhere), 0);
	assert_false(la_shadow_insert(nowhere, 256, 1));
	assert_int_equal(la_memory_bytes(), before);
	for (uintptr_t i = 0; i < region; i += GRANULE)
		assert_true(la_shadow_insert(nowhere + i, 16, 1));
	assert_in_range(la_memory_bytes() - before, region / 8,
			region / 8 + sizeof(struct la_shadow_branch));
	assert_int_equal(all_blocks().blocks, region / GRANULE);
	for (uintptr_t i = 0; i < region; i += GRANULE)
		assert_removed(nowhere + i, 16, 1);
}

/* ---- together with the table, in random order ---- */

enum { MODEL_BLOCKS = 600 };

static struct la_block model[MODEL_BLOCKS];
static bool recorded[MODEL_BLOCKS];

static uintptr_t model_address(size_t i)
{
	/* Four in each granule, at the end of a branch and beyond. */
	return 9 * branch - 1600 + 8 * i;
}

static void add_block(void *argument, struct la_block block, uint64_t interval)
{
	struct totals *totals = argument;

	assert_int_equal(interval, 0);
	totals->blocks++;
	totals->bytes += block.bytes;
	totals->sites += block.site;
}

static void assert_walk_is_model(void)
{
	struct totals found = { 0 }, expected = { 0 };

	la_live_walk(add_block, &found);
	for (size_t i = 0; i < MODEL_BLOCKS; i++)
		if (recorded[i])
			add_block(&expected, model[i], 0);
	assert_int_equal(found.blocks, expected.blocks);
	assert_int_equal(found.bytes, expected.bytes);
	assert_int_equal(found.sites, expected.sites);
}

static struct la_block some_block(uint64_t *seed)
{
	static const uint64_t limits[] = { 256, 300, 100000,
					   LA_HEAP_MOST_BYTES };
	static const uint32_t sites[] = { 1000, 2 * LA_SHADOW_MOST_SITE };

	return (struct la_block){
		random_below(seed, limits[random_below(seed, 4)]),
		1 + (uint32_t)random_below(
			    seed, sites[random_below(seed, 4) == 0]),
	};
}

static void test_small_and_large_like_an_array(void **state)
{
	uint64_t seed = 1;

	(void)state;
	la_shadow_crowded = true;
	for (int step = 0; step < 200 * 1000; step++) {
		size_t i = random_below(&seed, MODEL_BLOCKS);
		struct la_block block = { 0 };
		bool had = la_live_remove(model_address(i), &block);

		assert_int_equal(had, recorded[i]);
		if (had) {
			assert_int_equal(block.bytes, model[i].bytes);
			assert_int_equal(block.site, model[i].site);
		}
		recorded[i] = random_below(&seed, 3) > 0;
		if (recorded[i]) {
			model[i] = some_block(&seed);
			assert_true(la_live_insert(model_address(i), model[i]));
		}
		if (step % 10000 == 0)
			assert_walk_is_model();
	}
	assert_walk_is_model();
	for (size_t i = 0; i < MODEL_BLOCKS; i++) {
		struct la_block block;

		assert_int_equal(la_live_remove(model_address(i), &block),
				 recorded[i]);
		recorded[i] = false;
	}
	assert_walk_is_model();
}

/* The end of the block that was there before was missed. */
static void test_replaced_unseen(void **state)
{
	static const struct la_block small = { 100, 7 }, large = { 1000, 8 };
	const uintptr_t address = somewhere + 16;
	struct totals totals = { 0 };
	struct la_block block;

	(void)state;
	for (int first_large = 0; first_large < 2; first_large++) {
		const struct la_block *now = first_large ? &small : &large;

		assert_true(la_live_insert(address,
					   first_large ? large : small));
		assert_true(la_live_insert(address, *now));
		memset(&totals, 0, sizeof(totals));
		la_live_walk(add_block, &totals);
		assert_int_equal(totals.blocks, 1);
		assert_int_equal(totals.bytes, now->bytes);
		assert_true(la_live_remove(address, &block));
		assert_int_equal(block.bytes, now->bytes);
		assert_int_equal(block.site, now->site);
		la_live_remove(address, &block);
	}
}

/* ---- threads ---- */

enum { THREADS = 4, EACH = 4096, ROUNDS = 30 };

/* Each granule has a block of each thread's: two in the shadow at a time. */
static void on_neighbours(unsigned number)
{
	uint64_t seed = number;

	for (unsigned i = 0; i < ROUNDS * EACH; i++) {
		uintptr_t address = somewhere + branch +
				    GRANULE * random_below(&seed, EACH) +
				    8 * number;
		la_shadow_entry was;

		if (!la_shadow_insert(address, number, number + 1))
			continue;
		was = la_shadow_remove(address);
		note_unless(la_shadow_site(was) == number + 1);
		note_unless(la_shadow_bytes(was) == number);
	}
}

static void test_threads_on_neighbours(void **state)
{
	(void)state;
	la_shadow_crowded = true;
	crew(THREADS, on_neighbours);
	assert_int_equal(all_blocks().blocks, 0);
}

/* Granules of their own, in regions that all of them want to extend. */
static void on_own_granules(unsigned number)
{
	for (uintptr_t i = 0; i < 64; i++) {
		uintptr_t address = somewhere + 4 * branch + i * region / 2 +
				    GRANULE * number;

		note_unless(la_shadow_insert(address, 40, number + 1));
	}
}

/* Meanwhile the first one walks. */
static void walk_or_insert(unsigned number)
{
	if (number) {
		on_own_granules(number);
		return;
	}
	for (int i = 0; i < 20; i++) {
		struct totals totals = all_blocks();

		note_unless(totals.bytes == 40 * totals.blocks);
	}
}

static void test_threads_that_extend(void **state)
{
	(void)state;
	la_shadow_crowded = false;
	crew(THREADS, walk_or_insert);
	la_shadow_crowded = true;
	assert_int_equal(all_blocks().blocks, 64 * (THREADS - 1));
	for (unsigned number = 1; number < THREADS; number++)
		for (uintptr_t i = 0; i < 64; i++)
			assert_removed(somewhere + 4 * branch + i * region / 2 +
					       GRANULE * number,
				       40, number + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes_and_sites),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_neighbour_replaced_unseen),
		cmocka_unit_test(test_boundaries),
		cmocka_unit_test(test_addresses_of_no_process),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_small_and_large_like_an_array),
		cmocka_unit_test(test_replaced_unseen),
		cmocka_unit_test(test_threads_on_neighbours),
		cmocka_unit_test(test_threads_that_extend),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
