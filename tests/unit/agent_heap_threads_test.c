/* build: -Wl,--wrap=la_memory_map_for,--wrap=la_memory_unmap_for */
/*
 * The table of live blocks, shared: by threads that record, free and walk at
 * the same time, and by handlers that have interrupted one of them inside.
 */
#define _GNU_SOURCE

#include "agent/lock.h"

#include "tests/support/heap_blocks.h"

/* ---- threads ---- */

enum { THREADS = 4, EACH = 20000 };

static void on_own_addresses(unsigned number)
{
	uintptr_t start = 0x400000000000 + ((uintptr_t)number << 32);

	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < EACH; i++)
			note_unless(la_heap_insert(
				start + 48 * (uintptr_t)i,
				(struct la_block){ i, number + 1 }));
		for (uint32_t i = round == 2 ? EACH / 2 : 0; i < EACH; i++) {
			struct la_block block = { 0, 0 };

			note_unless(la_heap_remove(start + 48 * (uintptr_t)i,
						   &block));
			note_unless(block.bytes == i);
			note_unless(block.site == number + 1);
		}
	}
}

static void test_threads_apart(void **state)
{
	struct totals totals;

	(void)state;
	crew(THREADS, on_own_addresses);
	totals = all_blocks();
	assert_int_equal(totals.blocks, THREADS * EACH / 2);
	assert_int_equal(totals.bytes,
			 THREADS * (uint64_t)(EACH / 2) * (EACH / 2 - 1) / 2);
	for (unsigned number = 0; number < THREADS; number++)
		for (uint32_t i = 0; i < EACH / 2; i++)
			block_at(0x400000000000 + ((uintptr_t)number << 32) +
				 48 * (uintptr_t)i);
}

/*
 * Blocks that wander between threads: each is in the table or with the one
 * thread that has removed it.
 */
enum { SHARED = 512 };

static uint32_t outside[SHARED];

static uintptr_t shared_address(uint32_t i)
{
	return 0x500000000000 + 40 * (uintptr_t)i;
}

static struct la_block shared_block(uint32_t i, uint32_t version)
{
	return (struct la_block){
		.bytes = ((uint64_t)version << 33 ^ i) & LA_HEAP_MOST_BYTES,
		.site = version,
	};
}

static void on_shared_addresses(unsigned number)
{
	uint64_t seed = number;

	for (int step = 0; step < 100 * 1000; step++) {
		uint32_t i = (uint32_t)random_below(&seed, SHARED);
		struct la_block block;

		if (!la_heap_remove(shared_address(i), &block))
			continue;
		note_unless(block.bytes == shared_block(i, block.site).bytes);
		note_unless(__atomic_exchange_n(&outside[i], 1,
						__ATOMIC_ACQ_REL) == 0);
		block = shared_block(i, (uint32_t)random_below(&seed, 32768));
		__atomic_store_n(&outside[i], 0, __ATOMIC_RELEASE);
		note_unless(la_heap_insert(shared_address(i), block));
	}
}

static void test_threads_together(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < SHARED; i++)
		assert_true(la_heap_insert(shared_address(i),
					   shared_block(i, i)));
	crew(THREADS, on_shared_addresses);
	assert_int_equal(all_blocks().blocks, SHARED);
	for (uint32_t i = 0; i < SHARED; i++) {
		struct la_block block = block_at(shared_address(i));

		assert_int_equal(block.bytes,
				 shared_block(i, block.site).bytes);
	}
}

/* Of the blocks that stay, a walk sees all, whatever goes on beside them. */
static void walk_or_work(unsigned number)
{
	if (number) {
		on_own_addresses(number);
		return;
	}
	for (int i = 0; i < 50; i++)
		note_unless(all_blocks().blocks >= SHARED);
}

static void test_walk_meanwhile(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < SHARED; i++)
		assert_true(la_heap_insert(shared_address(i),
					   shared_block(i, i)));
	crew(THREADS, walk_or_work);
	for (uint32_t i = 0; i < SHARED; i++)
		block_at(shared_address(i));
	for (unsigned number = 1; number < THREADS; number++)
		for (uint32_t i = 0; i < EACH / 2; i++)
			block_at(0x400000000000 + ((uintptr_t)number << 32) +
				 48 * (uintptr_t)i);
}

/* ---- handlers ---- */

static void test_busy_while_inside(void **state)
{
	(void)state;
	assert_false(la_heap_busy(0x330000000000));
	for (unsigned shard = 0; shard < LA_HEAP_SHARDS; shard++)
		la_lock(LA_LOCK_HEAP + shard);
	assert_true(la_heap_busy(0x330000000000));
	for (unsigned shard = 0; shard < LA_HEAP_SHARDS; shard++)
		la_unlock(LA_LOCK_HEAP + shard);
	assert_false(la_heap_busy(0x330000000000));
}

/* A handler may remove what it may not touch: before anything else happens. */
static void test_removed_later(void **state)
{
	enum { BLOCKS = 20 };
	const uintptr_t start = 0x340000000000;
	uint32_t waiting = 0;

	(void)state;
	for (uint32_t i = 0; i < BLOCKS; i++)
		assert_true(la_heap_insert(start + 16 * i,
					   (struct la_block){ i, 1 }));
	for (unsigned shard = 0; shard < LA_HEAP_SHARDS; shard++)
		la_lock(LA_LOCK_HEAP + shard);
	while (waiting < BLOCKS && la_heap_remove_later(start + 16 * waiting))
		waiting++;
	for (unsigned shard = 0; shard < LA_HEAP_SHARDS; shard++)
		la_unlock(LA_LOCK_HEAP + shard);
	assert_in_range(waiting, 4, BLOCKS - 1);
	assert_true(la_heap_insert(start, (struct la_block){ 77, 1 }));
	assert_int_equal(all_blocks().blocks, BLOCKS - waiting + 1);
	assert_int_equal(block_at(start).bytes, 77);
	for (uint32_t i = 1; i < BLOCKS; i++)
		if (i < waiting)
			assert_unknown(start + 16 * i);
		else
			assert_int_equal(block_at(start + 16 * i).bytes, i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads_apart),
		cmocka_unit_test(test_threads_together),
		cmocka_unit_test(test_walk_meanwhile),
		cmocka_unit_test(test_busy_while_inside),
		cmocka_unit_test(test_removed_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
