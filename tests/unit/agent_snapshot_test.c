/* build: -Wl,--wrap=la_state_sum_held */
/* One picture of all counts: those of sites, those that threads hold back. */
#include "agent/snapshot.h"

#include "agent/live.h"
#include "agent/maps.h"
#include "agent/memory.h"
#include "agent/sampler.h"
#include "agent/state.h"
#include "agent/threads.h"

#include "tests/support/agent_check.h"

static uint32_t new_node(void)
{
	static uint32_t frame = 1000;

	return la_node_find(LA_ROOT_NODE, ++frame);
}

struct row {
	struct la_counts allocated, live;
};

static struct row row_of(uint32_t site)
{
	struct la_snapshot snapshot;
	struct row row;

	assert_int_equal(la_snapshot_take(&snapshot), 0);
	assert_true(site <= snapshot.sites);
	row = (struct row){ snapshot.allocated[site], snapshot.live[site] };
	la_snapshot_free(&snapshot);
	assert_null(snapshot.allocated);
	assert_null(snapshot.live);
	return row;
}

static void assert_row(uint32_t site, uint64_t alloc_objects,
		       uint64_t alloc_bytes, uint64_t live_objects,
		       uint64_t live_bytes)
{
	struct row row = row_of(site);

	assert_int_equal(row.allocated.objects, alloc_objects);
	assert_int_equal(row.allocated.bytes, alloc_bytes);
	assert_int_equal(row.live.objects, live_objects);
	assert_int_equal(row.live.bytes, live_bytes);
}

static void test_live_blocks(void **state)
{
	uint32_t site = la_sites_heap(new_node());
	struct la_block block = { UINT64_C(1) << 40, site };

	(void)state;
	assert_row(site, 0, 0, 0, 0);
	assert_true(la_live_insert(0x100000, block));
	assert_true(la_live_insert(0x200000, block));
	assert_row(site, 0, 0, 2, UINT64_C(1) << 41);
	assert_true(la_live_remove(0x100000, &block));
	assert_true(la_live_remove(0x200000, &block));
	assert_row(site, 0, 0, 0, 0);
}

/* An object in two parts counts once, with the bytes of both. */
static void test_live_mappings(void **state)
{
	uint32_t site = la_sites_other(new_node(), LA_KIND_ID_MMAP, 0);

	(void)state;
	assert_true(la_maps_add(0x10000, 0x20000, site));
	assert_true(la_maps_add(0x30000, 0x40000, site));
	la_maps_discard(la_maps_take(0x14000, 0x15000));
	assert_row(site, 0, 0, 2, 0x1f000);
	la_maps_discard(la_maps_take(0x10000, 0x40000));
	assert_row(site, 0, 0, 0, 0);
}

static void test_totals_leave_out_threads(void **state)
{
	uint32_t heap = la_sites_heap(new_node());
	uint32_t map = la_sites_other(new_node(), LA_KIND_ID_MMAP, 0);
	uint32_t thread = la_sites_other(new_node(), LA_KIND_ID_THREAD, 4096);
	struct la_host_thread *host = la_threads_prepare(thread, false);
	struct la_block block = { 7, heap };
	struct la_snapshot snapshot;

	(void)state;
	la_threads_created(host, pthread_self());
	assert_true(la_live_insert(0x100000, block));
	assert_true(la_maps_add(0x10000, 0x11000, map));
	assert_int_equal(la_snapshot_take(&snapshot), 0);
	assert_int_equal(snapshot.live[thread].objects, 1);
	assert_int_equal(snapshot.live[thread].bytes, 0);
	assert_int_equal(snapshot.live_objects, 2);
	assert_int_equal(snapshot.live_bytes, 7 + 4096);
	la_snapshot_free(&snapshot);
	la_threads_joined(host);
	la_live_remove(0x100000, &block);
	la_maps_discard(la_maps_take(0x10000, 0x11000));
}

static void test_memory_is_given_back(void **state)
{
	struct la_snapshot snapshot;
	size_t before = la_memory_bytes();

	(void)state;
	assert_int_equal(la_snapshot_take(&snapshot), 0);
	assert_true(la_memory_bytes() > before);
	la_snapshot_free(&snapshot);
	assert_int_equal(la_memory_bytes(), before);
}

/* ---- what was ever allocated ---- */

static void test_held_counts_are_seen(void **state)
{
	uint32_t site = la_sites_heap(new_node());

	(void)state;
	for (int i = 0; i < 1000; i++)
		la_state_count(la_state_get(), site, 10);
	assert_row(site, 1000, 10000, 0, 0);
	la_sites_count(site, 1, 5);
	assert_row(site, 1001, 10005, 0, 0);
}

/*
 * A thread has been stopped while it moved counts: they are in their site, and
 * still held. It goes on after somebody has looked.
 */
static struct la_state *stopped;
static struct la_held *moving;
static unsigned looks;

/* A thread that moves counts whenever somebody has looked. */
static struct la_state *restless;
static uint32_t pushed_out, pushing;
static uint64_t counted_restlessly;
static unsigned pushes;

/* Less each time: what is counted twice is more than what comes too late. */
static void count_restlessly(void)
{
	for (unsigned i = 0; i < 1000u >> pushes; i++, counted_restlessly++)
		la_state_count(restless, pushed_out, 1);
}

static void move_again(void)
{
	if (!restless)
		return;
	la_state_count(restless, pushing, 1);
	pushes++;
	count_restlessly();
}

void __real_la_state_sum_held(struct la_counts *totals, uint32_t most);
void __wrap_la_state_sum_held(struct la_counts *totals, uint32_t most);

void __wrap_la_state_sum_held(struct la_counts *totals, uint32_t most)
{
	if (stopped && ++looks == 2) {
		moving->objects = 0;
		moving->bytes = 0;
		stopped->held_version++;
		stopped = NULL;
	}
	__real_la_state_sum_held(totals, most);
	move_again();
}

static void test_a_move_is_under_way(void **state)
{
	uint32_t site = la_sites_heap(new_node());
	struct la_state *own = la_state_get();

	(void)state;
	la_state_count(own, site, 10);
	moving = &own->held[site % LA_HELD_COUNTS];
	assert_int_equal(moving->objects, 1);
	own->held_version++;
	la_sites_count(site, 1, 10);
	stopped = own;
	assert_row(site, 1, 10, 0, 0);
	assert_null(stopped);
}

static void test_moves_without_end(void **state)
{
	struct row row;

	(void)state;
	pushed_out = la_sites_heap(new_node());
	do
		pushing = la_sites_heap(new_node());
	while (pushing % LA_HELD_COUNTS != pushed_out % LA_HELD_COUNTS);
	restless = la_state_get();
	count_restlessly();
	row = row_of(pushed_out);
	restless = NULL;
	assert_true(pushes > 1);
	assert_int_equal(row.allocated.objects, counted_restlessly);
	assert_int_equal(row.allocated.bytes, counted_restlessly);
	assert_row(pushing, pushes, pushes, 0, 0);
}

/* More sites than a thread has places for: they push each other out. */
enum { THREADS = 4, SITES = 700, ROUNDS = 300 };

static uint32_t sites[SITES];

static void count_all(unsigned number)
{
	struct la_state *state = la_state_get();
	uint64_t seed = number;

	for (uint32_t i = 0; i < SITES * ROUNDS; i++)
		la_state_count(state, sites[i % SITES], i % SITES + 1);
	/* And once more, in no order: which the sums must not mind. */
	for (uint32_t i = 0; i < 10000; i++)
		la_state_count(state, sites[random_below(&seed, 2)], 1);
}

static void test_nothing_is_lost_with_threads(void **state)
{
	uint64_t objects = 0, bytes = 0;

	(void)state;
	for (uint32_t i = 0; i < SITES; i++)
		sites[i] = la_sites_heap(new_node());
	crew(THREADS, count_all);
	for (uint32_t i = 0; i < 2; i++) {
		struct row row = row_of(sites[i]);

		objects += row.allocated.objects;
		bytes += row.allocated.bytes;
	}
	assert_int_equal(objects, THREADS * (2 * ROUNDS + 10000));
	assert_int_equal(bytes, THREADS * (ROUNDS * (1 + 2) + 10000));
	for (uint32_t i = 2; i < SITES; i++)
		assert_row(sites[i], THREADS * ROUNDS,
			   (uint64_t)THREADS * ROUNDS * (i + 1), 0, 0);
}

/* A thread that is there still, and holds its counts back. */
static uint32_t counted, may_end;
static uint32_t waiting_site;

static void *count_and_wait(void *unused)
{
	for (int i = 0; i < 123; i++)
		la_state_count(la_state_get(), waiting_site, 2);
	__atomic_store_n(&counted, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&may_end, __ATOMIC_ACQUIRE))
		usleep(1000);
	return unused;
}

static int look_in_child(void)
{
	struct row row;

	la_state_after_fork();
	row = row_of(waiting_site);
	return row.allocated.objects == 123 && row.allocated.bytes == 246 ? 0 :
									    1;
}

static void test_counts_of_a_running_thread(void **state)
{
	pthread_t thread;

	(void)state;
	waiting_site = la_sites_heap(new_node());
	assert_int_equal(pthread_create(&thread, NULL, count_and_wait, NULL),
			 0);
	while (!__atomic_load_n(&counted, __ATOMIC_ACQUIRE))
		usleep(1000);
	assert_row(waiting_site, 123, 246, 0, 0);
	/* In a child it is not there, but what it has counted is. */
	assert_int_equal(in_child(look_in_child), 0);
	__atomic_store_n(&may_end, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	assert_row(waiting_site, 123, 246, 0, 0);
}

/* ---- sampled ---- */

static bool close_to(double got, double expected)
{
	return got - expected < 1e-9 * expected &&
	       expected - got < 1e-9 * expected;
}

/* Blocks of 4096 bytes, one sampled of some 1.58. */
static int sum_estimates(void)
{
	const double chance = 0.63212055882855768;
	struct la_snapshot snapshot;
	struct la_values values;
	uint32_t heap, map;
	bool right;

	la_sampler_boot(4096, 1);
	heap = la_sites_heap(new_node());
	map = la_sites_other(new_node(), LA_KIND_ID_MMAP, 0);
	for (uintptr_t i = 1; i <= 100; i++) {
		struct la_block block = { 4096, heap };

		la_estimates_add(heap, 4096, 4096);
		la_live_insert(0x100000 + 4096 * i, block);
		if (i % 4)
			la_live_remove(0x100000 + 4096 * i, &block);
	}
	la_sites_count(map, 1, 8192);
	la_maps_add(0x10000, 0x12000, map);
	if (la_snapshot_take(&snapshot) || snapshot.interval != 4096)
		return 1;
	right = close_to(snapshot.allocated_estimates[heap].objects,
			 100 / chance) &&
		close_to(snapshot.live_estimates[heap].bytes,
			 25 * 4096 / chance) &&
		snapshot.live_objects == 1 + 40 &&
		snapshot.live_bytes == 8192 + 161994;
	values = la_snapshot_values(&snapshot, heap);
	right = right && values.value[LA_ALLOC_OBJECTS] == 158 &&
		values.value[LA_ALLOC_SPACE] == 647978 &&
		values.value[LA_INUSE_OBJECTS] == 40 &&
		values.value[LA_INUSE_SPACE] == 161994 &&
		values.error[LA_ALLOC_OBJECTS] == 10 &&
		values.error[LA_INUSE_OBJECTS] == 5;
	values = la_snapshot_values(&snapshot, map);
	right = right && values.value[LA_INUSE_SPACE] == 8192 &&
		values.error[LA_INUSE_SPACE] == 0 &&
		values.error[LA_ALLOC_SPACE] == 0;
	la_snapshot_free(&snapshot);
	return right ? 0 : 2;
}

static void test_estimates(void **state)
{
	(void)state;
	assert_int_equal(in_child(sum_estimates), 0);
}

static int boot(void **state)
{
	(void)state;
	return la_state_boot();
}

/* Blocks are sampled, and none of them is live. */
static void test_nothing_was_sampled(void **state)
{
	struct la_snapshot snapshot;

	(void)state;
	la_sampler_boot(1 << 19, 1);
	assert_int_equal(la_snapshot_take(&snapshot), 0);
	assert_int_equal(snapshot.interval, 1 << 19);
	la_snapshot_free(&snapshot);
	la_sampler_boot(0, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_live_blocks),
		cmocka_unit_test(test_live_mappings),
		cmocka_unit_test(test_totals_leave_out_threads),
		cmocka_unit_test(test_memory_is_given_back),
		cmocka_unit_test(test_held_counts_are_seen),
		cmocka_unit_test(test_a_move_is_under_way),
		cmocka_unit_test(test_moves_without_end),
		cmocka_unit_test(test_nothing_is_lost_with_threads),
		cmocka_unit_test(test_counts_of_a_running_thread),
		cmocka_unit_test(test_estimates),
		cmocka_unit_test(test_nothing_was_sampled),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
