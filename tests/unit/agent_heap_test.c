/* build: -Wl,--wrap=la_memory_map_for,--wrap=la_memory_unmap_for */
/*
 * The table of live blocks: every block as it was recorded, until it goes.
 * Several threads at once, and handlers: agent_heap_threads_test.
 */
#define _GNU_SOURCE

#include "agent/lock.h"

#include "tests/support/heap_blocks.h"

#include <string.h>

enum { REGION_BITS = 16, REGION = 1 << REGION_BITS };

/* ---- one block ---- */

static void test_sizes_and_sites(void **state)
{
	static const uint64_t sizes[] = {
		0,
		1,
		UINT64_C(0xffffffff),
		UINT64_C(0x100000000),
		UINT64_C(0x100000001),
		UINT64_C(0x8000000000) + 5,
		LA_HEAP_MOST_BYTES - 1,
		LA_HEAP_MOST_BYTES,
	};
	static const uint32_t sites[] = { 1, 2, 0x80000000, UINT32_MAX };
	static const uintptr_t addresses[] = {
		0x8, 0x10000, 0x555555559260, 0x7f0000000010, 0x7ffffffffff8,
		0xfffffffffff8,
	};

	(void)state;
	for (size_t i = 0; i < array_length(addresses); i++)
		for (size_t j = 0; j < array_length(sizes); j++) {
			struct la_block block = { sizes[j], sites[j % 4] };

			assert_true(la_heap_insert(addresses[i], block));
			block = block_at(addresses[i]);
			assert_int_equal(block.bytes, sizes[j]);
			assert_int_equal(block.site, sites[j % 4]);
			assert_unknown(addresses[i]);
		}
}

static void test_resized(void **state)
{
	const uintptr_t address = 0x350000000000;
	struct la_block block = { 0, 0 };

	(void)state;
	assert_false(la_heap_resize(address, 10, &block));
	assert_true(la_heap_insert(address, (struct la_block){ 300, 5 }));
	assert_true(la_heap_resize(address, 10, &block));
	assert_int_equal(block.bytes, 300);
	block = block_at(address);
	assert_int_equal(block.bytes, 10);
	assert_int_equal(block.site, 5);
}

static void test_unknown_addresses(void **state)
{
	struct la_block block = { 64, 3 };

	(void)state;
	assert_unknown(0x300000000000);
	assert_true(la_heap_insert(0x300000000000, block));
	assert_unknown(0x300000000008);
	/* Other bits, the same region otherwise. */
	assert_unknown(0x200000000000);
	assert_unknown(0x300000000010);
	block_at(0x300000000000);
}

static void test_replaced(void **state)
{
	uintptr_t address = 0x300000010000;
	struct la_block large = { UINT64_C(7) << 40, 5 }, small = { 12, 6 };
	struct la_block found;

	(void)state;
	assert_true(la_heap_insert(address, large));
	assert_true(la_heap_insert(address, small));
	assert_int_equal(all_blocks().blocks, 1);
	found = block_at(address);
	assert_int_equal(found.bytes, 12);
	assert_int_equal(found.site, 6);
	assert_unknown(address);
}

/* ---- many ---- */

/* Every 8th byte of one region: all in one part, which grows many times. */
static void test_full_region(void **state)
{
	uintptr_t start = 0x310000000000;
	struct totals totals;

	(void)state;
	for (uint32_t at = 0; at < REGION; at += 8) {
		struct la_block block = { at, at + 1 };

		assert_true(la_heap_insert(start + at, block));
	}
	totals = all_blocks();
	assert_int_equal(totals.blocks, REGION / 8);
	assert_int_equal(totals.bytes, (uint64_t)REGION / 8 * (REGION - 8) / 2);
	assert_int_equal(totals.sites, totals.bytes + totals.blocks);
	for (uint32_t at = 0; at < REGION; at += 8) {
		struct la_block block = block_at(start + at);

		assert_int_equal(block.bytes, at);
		assert_int_equal(block.site, at + 1);
	}
	assert_int_equal(all_blocks().blocks, 0);
}

static uintptr_t spread(uint32_t i)
{
	return 0x320000000000 + (uintptr_t)i * 144;
}

static void test_growth(void **state)
{
	enum { BLOCKS = 300 * 1000 };
	uint64_t bytes = 0;

	(void)state;
	for (uint32_t i = 0; i < BLOCKS; i++) {
		struct la_block block = { (uint64_t)i << 17, i };

		assert_true(la_heap_insert(spread(i), block));
		bytes += block.bytes;
	}
	assert_int_equal(all_blocks().blocks, BLOCKS);
	assert_true(all_blocks().bytes == bytes);
	for (uint32_t i = 0; i < BLOCKS; i++) {
		struct la_block block = block_at(spread(i));

		assert_true(block.bytes == (uint64_t)i << 17);
		assert_int_equal(block.site, i);
	}
	assert_int_equal(all_blocks().blocks, 0);
}

/* Blocks that come and go take no more room than those that are there. */
static void test_no_growth_without_need(void **state)
{
	uintptr_t start = 0x340000000000;
	struct la_block block = { 1, 1 };
	uint64_t before = mapped;

	(void)state;
	for (uint32_t i = 0; i < 200 * 1000; i++) {
		assert_true(la_heap_insert(start + 8 * (i % 1000 % 20), block));
		assert_true(la_heap_insert(start + 8 * (i % 20), block));
		block_at(start + 8 * (i % 20));
	}
	for (uint32_t i = 0; i < 20; i++)
		la_heap_remove(start + 8 * i, &block);
	assert_int_equal(all_blocks().blocks, 0);
	assert_int_equal(mapped, before);
}

/* ---- against a model ---- */

enum { PLACES = REGION / 8, SMALL_PART = 24 };

struct model {
	uintptr_t start; /* of the region */
	struct la_block blocks[PLACES];
	bool there[PLACES];
	uint32_t used;
};

static void model_insert(struct model *model, uint32_t place, uint64_t *seed)
{
	struct la_block block = { random_next(seed) & LA_HEAP_MOST_BYTES,
				  (uint32_t)random_next(seed) };

	assert_true(la_heap_insert(model->start + 8 * place, block));
	model->used += !model->there[place];
	model->there[place] = true;
	model->blocks[place] = block;
}

static void model_remove(struct model *model, uint32_t place)
{
	struct la_block block = { 0, 0 };
	bool found = la_heap_remove(model->start + 8 * place, &block);

	assert_int_equal(found, model->there[place]);
	if (!found)
		return;
	assert_true(block.bytes == model->blocks[place].bytes);
	assert_int_equal(block.site, model->blocks[place].site);
	model->there[place] = false;
	model->used--;
}

static void assert_as_model(const struct model *model)
{
	struct totals totals = all_blocks(), expected = { 0 };

	for (uint32_t i = 0; i < PLACES; i++)
		if (model->there[i])
			add_up(&expected, 0, model->blocks[i], 0);
	assert_int_equal(totals.blocks, expected.blocks);
	assert_true(totals.bytes == expected.bytes);
	assert_true(totals.sites == expected.sites);
}

/* Among `places` of a region, with at most `most` blocks at a time. */
static void run_model(uint64_t seed, uint32_t places, uint32_t most, int steps)
{
	static struct model model;
	uint32_t offset = (uint32_t)random_below(&seed, PLACES - places + 1);

	memset(&model, 0, sizeof(model));
	model.start = (random_below(&seed, UINT64_C(1) << 31) + 1)
		      << REGION_BITS;
	for (int i = 0; i < steps; i++) {
		uint32_t place = offset +
				 (uint32_t)random_below(&seed, places);

		if (model.used < most && random_below(&seed, 5) < 3)
			model_insert(&model, place, &seed);
		else
			model_remove(&model, place);
	}
	assert_as_model(&model);
	for (uint32_t place = 0; place < PLACES; place++)
		model_remove(&model, place);
	assert_int_equal(all_blocks().blocks, 0);
}

/* The smallest part, as full as it gets: chains that wrap round its end. */
static void test_small_and_full(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 300; seed++)
		run_model(seed, 48, SMALL_PART, 2000);
}

static void test_small_of_many(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 100; seed++)
		run_model(seed + 1000, PLACES, SMALL_PART, 2000);
}

static void test_neighbours(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 30; seed++)
		run_model(seed + 2000, PLACES, PLACES, 40000);
}

/* ---- memory ---- */

/* Regions whose blocks are in one part, which only this test uses. */
static uintptr_t next_region(uintptr_t region)
{
	const unsigned part = 7;
	bool found;

	do {
		region += REGION;
		la_lock(LA_LOCK_HEAP + part);
		found = la_heap_busy(region);
		la_unlock(LA_LOCK_HEAP + part);
	} while (!found);
	return region;
}

/* A part is just full, or has just grown: never more than this, and less on
 * average. */
static void test_memory_for_each_block(void **state)
{
	enum { LEAST = 15000, MOST = 60000, STEP = 48 };
	uintptr_t first = 0x600000000000, region = 0;
	uint64_t before = mapped, worst = 0, sum = 0;
	uint32_t count = 0;

	(void)state;
	for (region = next_region(first); count < MOST;
	     region = next_region(region))
		for (uintptr_t at = 0; at < REGION && count < MOST; at += STEP) {
			uint64_t each;

			assert_true(la_heap_insert(
				region + at, (struct la_block){ at, 1 }));
			/* In thousandths of a byte. */
			each = (mapped - before) * 1000 / ++count;
			if (count < LEAST)
				continue;
			sum += each;
			worst = each > worst ? each : worst;
		}
	assert_in_range(worst, 16000, 24500);
	assert_in_range(sum / (MOST - LEAST + 1), 16000, 22500);
	for (region = next_region(first); count > 0;
	     region = next_region(region))
		for (uintptr_t at = 0; at < REGION && count > 0; at += STEP) {
			assert_int_equal(block_at(region + at).bytes, at);
			count--;
		}
}

enum { THINNED = REGION / 16 };

static bool walked[THINNED];

static void note_walked(void *argument, uintptr_t address,
			struct la_block block, uint64_t interval)
{
	uintptr_t place = (address - *(uintptr_t *)argument) / 16;

	assert_true(place < THINNED && !walked[place]);
	assert_int_equal(block.bytes, 100 + place % 1000);
	assert_int_equal(block.site, place + 1);
	assert_int_not_equal(interval, 0);
	walked[place] = true;
}

/* What is left when there is no room is found, and the rest is not. */
static void test_thinned(void **state)
{
	uintptr_t start = 0x610000000000;
	struct la_block block;
	unsigned left = 0;

	(void)state;
	for (uintptr_t i = 0; i < THINNED; i++) {
		no_memory = i > 1000;
		assert_true(la_heap_insert(
			start + 16 * i,
			(struct la_block){ 100 + i % 1000, (uint32_t)i + 1 }));
	}
	no_memory = false;
	la_heap_walk(note_walked, &start);
	/* Nor is what was left asked once more whether it is. */
	for (uintptr_t i = 0; i < THINNED; i++) {
		assert_false(la_heap_resize(start + 16 * i, 1, &block));
		if (walked[i])
			assert_true(la_heap_put_back(start + 16 * i,
						     block_at(start + 16 * i)));
	}
	for (uintptr_t i = 0; i < THINNED; i++) {
		assert_int_equal(la_heap_remove(start + 16 * i, &block),
				 walked[i]);
		if (!walked[i])
			continue;
		assert_int_equal(block.site, i + 1);
		left++;
	}
	assert_in_range(left, 100, THINNED / 2);
	assert_int_equal(all_blocks().blocks, 0);
}

static void test_addresses_of_no_process(void **state)
{
	(void)state;
	assert_false(la_heap_insert((uintptr_t)1 << 48,
				    (struct la_block){ 1, 1 }));
	assert_false(la_heap_insert(UINTPTR_MAX - 15,
				    (struct la_block){ 1, 1 }));
	assert_unknown((uintptr_t)1 << 48);
	assert_int_equal(all_blocks().blocks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes_and_sites),
		cmocka_unit_test(test_resized),
		cmocka_unit_test(test_unknown_addresses),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_full_region),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_no_growth_without_need),
		cmocka_unit_test(test_small_and_full),
		cmocka_unit_test(test_small_of_many),
		cmocka_unit_test(test_neighbours),
		/* Parts do not shrink: these are the first to use theirs. */
		cmocka_unit_test(test_thinned),
		cmocka_unit_test(test_memory_for_each_block),
		cmocka_unit_test(test_addresses_of_no_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
