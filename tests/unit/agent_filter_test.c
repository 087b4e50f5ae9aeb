/*
 * The filter never stops a block that is recorded, stops most of the others,
 * and grows while threads record and forget.
 */
#include "agent/filter.h"

#include "agent/lock.h"
#include "agent/memory.h"

#include "tests/support/agent_check.h"

#include <string.h>

/* A heap of lists: what is recorded, by shard. */
enum { SHARD_ROOM = 4000 };

static struct {
	uintptr_t blocks[SHARD_ROOM];
	unsigned count;
} heap[LA_HEAP_SHARDS];

static unsigned crowded;

static void on_crowded(void)
{
	__atomic_add_fetch(&crowded, 1, __ATOMIC_RELAXED);
}

static unsigned shard_of(uintptr_t address)
{
	return (unsigned)(address >> 16) % LA_HEAP_SHARDS;
}

static void record(uintptr_t address)
{
	unsigned shard = shard_of(address);

	la_lock(LA_LOCK_HEAP + shard);
	if (heap[shard].count == SHARD_ROOM)
		abort();
	heap[shard].blocks[heap[shard].count++] = address;
	la_filter_add(shard, address);
	la_unlock(LA_LOCK_HEAP + shard);
}

static void forget(uintptr_t address)
{
	unsigned shard = shard_of(address), at = 0;

	la_lock(LA_LOCK_HEAP + shard);
	while (heap[shard].blocks[at] != address)
		at++;
	heap[shard].blocks[at] = heap[shard].blocks[--heap[shard].count];
	la_filter_remove(shard, address);
	la_unlock(LA_LOCK_HEAP + shard);
}

static void walk(unsigned shard, void (*visit)(uintptr_t address))
{
	for (unsigned i = 0; i < heap[shard].count; i++)
		visit(heap[shard].blocks[i]);
}

/* Small blocks, 48 bytes apart, in regions like those of an allocator. */
static uintptr_t small_block(uint32_t number)
{
	return UINT64_C(0x7f1234000010) + (uint64_t)number * 48;
}

/* Blocks with mappings of their own. */
static uintptr_t large_block(uint32_t number)
{
	return UINT64_C(0x7e0000000010) + (uint64_t)number * 0x21000;
}

static unsigned passed(uintptr_t (*block)(uint32_t), uint32_t from, uint32_t to)
{
	unsigned held = 0;

	for (uint32_t i = from; i < to; i++)
		held += la_filter_may_hold(block(i));
	return held;
}

static void record_all(uintptr_t (*block)(uint32_t), uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		record(block(i));
}

static void forget_all(uintptr_t (*block)(uint32_t), uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		forget(block(i));
}

static int hold_everything(void)
{
	la_filter_add(5, 0x1000);
	la_filter_remove(5, 0x1000);
	return passed(small_block, 0, 1000) == 1000 ? 0 : 1;
}

static int boot(void **state)
{
	/* Until then, the filter lets nothing pass. */
	(void)state;
	return in_child(hold_everything) || la_filter_boot(on_crowded);
}

static void test_an_empty_one_holds_nothing(void **state)
{
	(void)state;
	assert_int_equal(passed(small_block, 0, 100000), 0);
	assert_int_equal(passed(large_block, 0, 100000), 0);
}

static void test_what_is_recorded_is_held(void **state)
{
	enum { BLOCKS = 1000 };

	(void)state;
	record_all(small_block, 0, BLOCKS);
	record_all(large_block, 0, BLOCKS);
	assert_int_equal(passed(small_block, 0, BLOCKS), BLOCKS);
	assert_int_equal(passed(large_block, 0, BLOCKS), BLOCKS);
	forget_all(small_block, 0, BLOCKS);
	assert_int_equal(passed(large_block, 0, BLOCKS), BLOCKS);
	forget_all(large_block, 0, BLOCKS);
	assert_int_equal(passed(small_block, 0, BLOCKS), 0);
	assert_int_equal(passed(large_block, 0, BLOCKS), 0);
}

/* Some blocks of many, as sampling leaves them. */
static uintptr_t sampled_small(uint32_t number)
{
	return small_block(number * 1009);
}

static uintptr_t sampled_large(uint32_t number)
{
	return large_block(number * 17);
}

static void test_others_are_seldom_held(void **state)
{
	enum { EACH = 1000, OTHERS = 1000 * 1000 };

	(void)state;
	record_all(sampled_small, 0, EACH);
	record_all(sampled_large, 0, EACH);
	assert_true(crowded > 0);
	la_filter_grow(walk);
	crowded = 0;
	/* At most one place in 32 is taken. */
	assert_in_range(passed(small_block, 0, OTHERS), EACH, OTHERS / 25);
	assert_in_range(passed(large_block, 0, OTHERS), EACH, OTHERS / 20);
	forget_all(sampled_small, 0, EACH);
	forget_all(sampled_large, 0, EACH);
}

/* A thread that frees what lies together looks at bytes that lie together. */
static void test_neighbours_share_lines(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		uintptr_t first = large_block(i) & ~UINT64_C(1023);

		for (unsigned at = 0; at < 1024; at += 16)
			assert_true(la_filter_place(first + at) >> 6 ==
				    la_filter_place(first) >> 6);
	}
}

/* As long as a place stands for too many blocks to be counted, it holds. */
static void test_counts_that_are_full(void **state)
{
	enum { SAME = 300 };
	struct la_filter *before = la_filter_now;

	(void)state;
	for (int i = 0; i < SAME; i++)
		record(0x5000);
	for (int i = 0; i < SAME - 1; i++) {
		forget(0x5000);
		assert_true(la_filter_may_hold(0x5000));
	}
	forget(0x5000);
	assert_ptr_equal(la_filter_now, before);
}

static void test_it_grows_with_what_it_holds(void **state)
{
	enum { BLOCKS = 50 * 1000 };
	size_t before = la_memory_bytes();

	(void)state;
	la_filter_grow(walk);
	assert_int_equal(la_memory_bytes(), before);
	for (uint32_t from = 0; from < BLOCKS; from += BLOCKS / 10) {
		record_all(sampled_small, from, from + BLOCKS / 10);
		if (crowded)
			la_filter_grow(walk);
		crowded = 0;
	}
	assert_true(la_memory_bytes() < before + UINT64_C(150) * BLOCKS);
	assert_int_equal(passed(sampled_small, 0, BLOCKS), BLOCKS);
	assert_in_range(passed(small_block, 0, 1000 * 1000), 990, 40 * 1000);
	forget_all(sampled_small, 0, BLOCKS);
	assert_int_equal(passed(small_block, 0, 1000 * 1000), 0);
}

/* ---- growing while threads record and forget ---- */

enum { THREADS = 4, OWN = 40 * 1000, ROUNDS = 6 };

static bool growing_on;

static uintptr_t own_block(unsigned number, uint32_t i)
{
	return small_block((i * THREADS + number) * 8);
}

/* The last one grows the filter as the agent's thread does, the others use it. */
static void use_or_grow(unsigned number)
{
	if (number == THREADS - 1) {
		while (__atomic_load_n(&growing_on, __ATOMIC_ACQUIRE))
			la_filter_grow(walk);
		return;
	}
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		uint32_t most = OWN / ROUNDS * round;

		for (uint32_t i = 0; i < most; i++)
			record(own_block(number, i));
		for (uint32_t i = 0; i < most; i++)
			note_unless(la_filter_may_hold(own_block(number, i)));
		for (uint32_t i = most; i-- > 0;)
			forget(own_block(number, i));
	}
	if (!number)
		__atomic_store_n(&growing_on, false, __ATOMIC_RELEASE);
}

static int grow_with_threads(void)
{
	unsigned left = 0;

	/* From the smallest on. */
	if (la_filter_boot(on_crowded))
		return 1;
	growing_on = true;
	crew(THREADS, use_or_grow);
	for (uint32_t i = 0; i < THREADS * OWN * 8; i++)
		left += la_filter_may_hold(small_block(i));
	/* A count is wrong for ever if a block was missed when it was copied. */
	return left == 0 && la_filter_now->mask > 64 * 1024 ? 0 : 2;
}

static void test_growing_with_threads(void **state)
{
	(void)state;
	assert_int_equal(in_child(grow_with_threads), 0);
}

/* ---- fork in the midst of it ---- */

static int use_after_fork(void)
{
	la_filter_after_fork();
	crowded = 0;
	record(large_block(1));
	/* The parent was asked to grow it, and the child has to be. */
	if (!crowded)
		return 3;
	if (!la_filter_may_hold(large_block(1)) ||
	    passed(sampled_small, 0, 5000) != 5000)
		return 1;
	forget(large_block(1));
	forget_all(sampled_small, 0, 5000);
	if (passed(small_block, 0, 100000) || la_filter_may_hold(large_block(1)))
		return 2;
	record_all(sampled_small, 0, 20000);
	la_filter_grow(walk);
	return passed(sampled_small, 0, 20000) == 20000 ? 0 : 4;
}

static unsigned fork_at, child_result;

static void walk_and_fork(unsigned shard, void (*visit)(uintptr_t address))
{
	walk(shard, visit);
	if (shard != fork_at)
		return;
	/* As fork does it: the child's locks are free. */
	la_unlock(LA_LOCK_HEAP + shard);
	child_result = (unsigned)in_child(use_after_fork);
	la_lock(LA_LOCK_HEAP + shard);
}

static int fork_while_growing(void)
{
	if (la_filter_boot(on_crowded))
		return 10;
	record_all(sampled_small, 0, 5000);
	la_filter_grow(walk_and_fork);
	return (int)child_result;
}

static void test_fork_while_growing(void **state)
{
	static const unsigned shards[] = { 0, 7, LA_HEAP_SHARDS - 1 };

	(void)state;
	for (unsigned i = 0; i < array_length(shards); i++) {
		fork_at = shards[i];
		assert_int_equal(in_child(fork_while_growing), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_one_holds_nothing),
		cmocka_unit_test(test_what_is_recorded_is_held),
		cmocka_unit_test(test_others_are_seldom_held),
		cmocka_unit_test(test_neighbours_share_lines),
		cmocka_unit_test(test_it_grows_with_what_it_holds),
		cmocka_unit_test(test_counts_that_are_full),
		cmocka_unit_test(test_growing_with_threads),
		cmocka_unit_test(test_fork_while_growing),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
