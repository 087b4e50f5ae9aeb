/*
 * The table of live mappings, one property at a time, with many of them and
 * with several threads. Whatever comes: agent_maps_model_test.
 */
#include "tests/support/map_pages.h"

static void assert_run(const struct picture *picture, uint32_t number,
		       uint32_t site, uint32_t pages)
{
	assert_true(number < picture->count);
	assert_int_equal(picture->runs[number].site, site);
	assert_int_equal(picture->runs[number].bytes, pages * (uint64_t)PAGE);
}

/* ---- one property each ---- */

static void test_object_until_its_last_part(void **state)
{
	static struct picture picture;

	(void)state;
	assert_true(la_maps_add(page_at(10), page_at(20), 1));
	discard(12, 14);
	discard(10, 11);
	discard(16, 19);
	look(&picture);
	assert_int_equal(picture.firsts[1], 1);
	/* Pages 11, 14, 15 and 19. */
	assert_run(&picture, 0, 1, 4);
	discard(11, 12);
	discard(14, 16);
	look(&picture);
	assert_int_equal(picture.firsts[1], 1);
	discard(19, 20);
	assert_nothing();
}

static void test_end_before_start_of_neighbour(void **state)
{
	static struct picture picture;

	(void)state;
	assert_true(la_maps_add(page_at(0), page_at(4), 1));
	assert_true(la_maps_add(page_at(4), page_at(8), 2));
	discard(4, 4);
	discard(8, 12);
	look(&picture);
	assert_int_equal(picture.count, 2);
	assert_run(&picture, 0, 1, 4);
	assert_run(&picture, 1, 2, 4);
	discard(3, 5);
	look(&picture);
	assert_run(&picture, 0, 1, 3);
	assert_run(&picture, 1, 2, 3);
	discard(0, 8);
	assert_nothing();
}

static void test_replacing(void **state)
{
	static struct picture picture;

	(void)state;
	assert_true(la_maps_add(page_at(0), page_at(10), 1));
	assert_true(la_maps_add(page_at(3), page_at(6), 2));
	look(&picture);
	assert_int_equal(picture.count, 3);
	assert_run(&picture, 0, 1, 3);
	assert_run(&picture, 1, 2, 3);
	assert_run(&picture, 2, 1, 4);
	assert_int_equal(picture.firsts[1], 1);
	assert_int_equal(picture.firsts[2], 1);
	assert_true(la_maps_add(page_at(0), page_at(10), 3));
	look(&picture);
	assert_int_equal(picture.count, 1);
	assert_run(&picture, 0, 3, 10);
	discard(0, 10);
	assert_nothing();
}

static void test_taken_bytes(void **state)
{
	struct la_map *taken;

	(void)state;
	assert_true(la_maps_add(page_at(0), page_at(4), 1));
	assert_true(la_maps_add(page_at(6), page_at(8), 2));
	assert_int_equal(la_maps_taken_bytes(NULL), 0);
	assert_null(la_maps_take(page_at(4), page_at(6)));
	taken = la_maps_take(page_at(1), page_at(7));
	assert_int_equal(la_maps_taken_bytes(taken), 4 * PAGE);
	la_maps_discard(taken);
	taken = la_maps_take(page_at(0), page_at(50));
	assert_int_equal(la_maps_taken_bytes(taken), 2 * PAGE);
	la_maps_discard(taken);
	assert_nothing();
}

static void test_failed_call_changes_nothing(void **state)
{
	static struct picture picture;
	struct la_map *taken;

	(void)state;
	assert_true(la_maps_add(page_at(0), page_at(4), 1));
	assert_true(la_maps_add(page_at(4), page_at(8), 2));
	taken = la_maps_take(page_at(2), page_at(6));
	look(&picture);
	assert_run(&picture, 0, 1, 2);
	assert_run(&picture, 1, 2, 2);
	la_maps_restore(taken);
	look(&picture);
	assert_int_equal(picture.count, 2);
	assert_run(&picture, 0, 1, 4);
	assert_run(&picture, 1, 2, 4);
	assert_int_equal(picture.firsts[1], 1);
	assert_int_equal(picture.firsts[2], 1);
	discard(0, 8);
	assert_nothing();
}

/* The whole object is out while another thread's mapping comes in. */
static void test_taken_whole_and_another_added(void **state)
{
	static struct picture picture;
	struct la_map *taken;

	(void)state;
	assert_true(la_maps_add(page_at(0), page_at(4), 1));
	taken = la_maps_take(page_at(0), page_at(4));
	assert_true(la_maps_add(page_at(0), page_at(2), 2));
	la_maps_discard(taken);
	look(&picture);
	assert_int_equal(picture.count, 1);
	assert_run(&picture, 0, 2, 2);
	discard(0, 4);
	assert_nothing();
}

/* It failed, but meanwhile the kernel gave a part to another thread. */
static void test_failed_call_and_another_added(void **state)
{
	static struct picture picture;
	struct la_map *taken;

	(void)state;
	assert_true(la_maps_add(page_at(0), page_at(4), 1));
	taken = la_maps_take(page_at(0), page_at(2));
	assert_true(la_maps_add(page_at(1), page_at(2), 2));
	la_maps_restore(taken);
	look(&picture);
	/* Nothing is there twice, and the newcomer stays. */
	assert_int_equal(picture.firsts[2], 1);
	assert_int_equal(picture.firsts[1], 1);
	assert_true(picture.count >= 2);
	assert_run(&picture, picture.count - 1, 1, 2);
	assert_run(&picture, picture.count - 2, 2, 1);
	if (picture.count > 2)
		assert_run(&picture, 0, 1, 1);
	discard(1, 2);
	look(&picture);
	assert_int_equal(picture.firsts[2], 0);
	discard(0, 4);
	assert_nothing();
}

static void test_remap_grows(void **state)
{
	static struct picture picture;

	(void)state;
	assert_true(la_maps_add(page_at(0), page_at(4), 7));
	move(0, 4, 0, 6);
	assert_int_equal(grown, 2 * PAGE);
	assert_int_equal(grown_site, 7);
	move(0, 6, 20, 9);
	assert_int_equal(grown, 3 * PAGE);
	assert_int_equal(grown_site, 7);
	look(&picture);
	assert_int_equal(picture.count, 1);
	assert_run(&picture, 0, 7, 9);
	assert_int_equal(picture.firsts[7], 1);
	assert_null(la_maps_take(page_at(0), page_at(20)));
	discard(20, 29);
	assert_nothing();
}

static void test_remap_shrinks(void **state)
{
	static struct picture picture;

	(void)state;
	assert_true(la_maps_add(page_at(0), page_at(4), 1));
	assert_true(la_maps_add(page_at(4), page_at(8), 2));
	move(0, 8, 0, 5);
	assert_int_equal(grown, 0);
	look(&picture);
	assert_run(&picture, 0, 1, 4);
	assert_run(&picture, 1, 2, 1);
	move(0, 5, 30, 2);
	assert_int_equal(grown, 0);
	look(&picture);
	assert_int_equal(picture.count, 1);
	assert_run(&picture, 0, 1, 2);
	discard(30, 32);
	assert_nothing();
}

static void test_remap_of_nothing(void **state)
{
	(void)state;
	move(0, 4, 20, 8);
	assert_int_equal(grown, 0);
	assert_int_equal(grown_site, 0);
	assert_nothing();
}

static void test_remap_onto_others(void **state)
{
	static struct picture picture;

	(void)state;
	assert_true(la_maps_add(page_at(0), page_at(4), 1));
	assert_true(la_maps_add(page_at(10), page_at(20), 2));
	move(0, 4, 12, 4);
	assert_int_equal(grown, 0);
	look(&picture);
	assert_int_equal(picture.count, 3);
	assert_run(&picture, 0, 2, 2);
	assert_run(&picture, 1, 1, 4);
	assert_run(&picture, 2, 2, 4);
	discard(0, 20);
	assert_nothing();
}

/* MREMAP_DONTUNMAP: two places, one object, until the last page goes. */
static void test_remap_that_keeps_the_old(void **state)
{
	static struct picture picture;
	struct la_map *taken;

	(void)state;
	assert_true(la_maps_add(page_at(0), page_at(4), 5));
	taken = la_maps_take(page_at(0), page_at(4));
	la_maps_copy(taken, page_at(0), page_at(40), 4 * PAGE, note_growth);
	la_maps_restore(taken);
	assert_int_equal(grown, 4 * PAGE);
	assert_int_equal(grown_site, 5);
	look(&picture);
	assert_int_equal(picture.firsts[5], 1);
	assert_run(&picture, 0, 5, 8);
	discard(0, 4);
	look(&picture);
	assert_int_equal(picture.firsts[5], 1);
	assert_run(&picture, 0, 5, 4);
	discard(40, 44);
	assert_nothing();
}

/* ---- many, and threads ---- */

struct sums {
	uint64_t bytes, objects, ranges;
};

static void sum(void *argument, uint32_t site, uint64_t bytes, bool first)
{
	struct sums *sums = argument;

	(void)site;
	sums->bytes += bytes;
	sums->objects += first;
	sums->ranges++;
}

static void test_many_ranges(void **state)
{
	enum { OBJECTS = 20000 };
	struct sums sums = { 0 };

	(void)state;
	/* In rising order and with a hole in each, as it is the worst. */
	for (uint32_t i = 0; i < OBJECTS; i++)
		assert_true(la_maps_add(page_at(4 * i), page_at(4 * i + 3), 1));
	for (uint32_t i = 0; i < OBJECTS; i++)
		discard(4 * i + 1, 4 * i + 2);
	la_maps_walk(sum, &sums);
	assert_int_equal(sums.objects, OBJECTS);
	assert_int_equal(sums.ranges, 2 * OBJECTS);
	assert_int_equal(sums.bytes, 2 * OBJECTS * (uint64_t)PAGE);
	discard(0, 4 * OBJECTS);
	assert_nothing();
}

enum { THREADS = 4, EACH = 3000 };

static void on_own_pages(unsigned number)
{
	uint32_t first = 1000 * 1000 * number;

	for (uint32_t i = 0; i < EACH; i++) {
		uint32_t at = first + 8 * i;

		la_maps_add(page_at(at), page_at(at + 4), number + 1);
		la_maps_restore(la_maps_take(page_at(at), page_at(at + 1)));
		discard(at + 2, at + 3);
		move(at, 2, at, 1);
		if (i % 2)
			discard(at, at + 8);
	}
}

static void test_threads(void **state)
{
	struct sums sums = { 0 };

	(void)state;
	crew(THREADS, on_own_pages);
	la_maps_walk(sum, &sums);
	assert_int_equal(sums.objects, THREADS * EACH / 2);
	assert_int_equal(sums.bytes, THREADS * EACH / 2 * 2 * (uint64_t)PAGE);
	discard(0, 1000 * 1000 * THREADS);
	assert_nothing();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_object_until_its_last_part),
		cmocka_unit_test(test_end_before_start_of_neighbour),
		cmocka_unit_test(test_replacing),
		cmocka_unit_test(test_taken_bytes),
		cmocka_unit_test(test_failed_call_changes_nothing),
		cmocka_unit_test(test_taken_whole_and_another_added),
		cmocka_unit_test(test_failed_call_and_another_added),
		cmocka_unit_test(test_remap_grows),
		cmocka_unit_test(test_remap_shrinks),
		cmocka_unit_test(test_remap_of_nothing),
		cmocka_unit_test(test_remap_onto_others),
		cmocka_unit_test(test_remap_that_keeps_the_old),
		cmocka_unit_test(test_many_ranges),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
