/*
 * The table of live mappings, against a model that keeps one word for each
 * page: which object it belongs to.
 */
#include "agent/maps.h"

#include "tests/support/agent_check.h"

#include <string.h>

enum { PAGE = 4096, PAGES = 96, MOST_OBJECTS = 4096 };

static const uintptr_t base = 0x7f0000000000;

static uintptr_t page_at(uint32_t page)
{
	return base + (uintptr_t)page * PAGE;
}

/* What a walk or the model says: consecutive pages of one object are a run. */
struct run {
	uint32_t site;
	uint64_t bytes;
};

struct picture {
	struct run runs[PAGES + 1];
	uint32_t count;
	uint32_t firsts[MOST_OBJECTS];
};

static void add_run(struct picture *picture, uint32_t site, uint64_t bytes)
{
	uint32_t last = picture->count - 1;

	if (picture->count && picture->runs[last].site == site) {
		picture->runs[last].bytes += bytes;
		return;
	}
	assert_true(picture->count < PAGES);
	picture->runs[picture->count++] = (struct run){ site, bytes };
}

static void see(void *argument, uint32_t site, uint64_t bytes, bool first)
{
	struct picture *picture = argument;

	assert_true(bytes > 0);
	assert_true(site < MOST_OBJECTS);
	picture->firsts[site] += first;
	add_run(picture, site, bytes);
}

static void look(struct picture *picture)
{
	memset(picture, 0, sizeof(*picture));
	la_maps_walk(see, picture);
}

/* Page -> the site of its object, 0 = not recorded; each object has its own. */
struct model {
	uint32_t pages[PAGES];
	uint32_t sites;
};

static void assert_as_model(const struct model *model)
{
	static struct picture seen, expected;

	look(&seen);
	memset(&expected, 0, sizeof(expected));
	for (uint32_t i = 0; i < PAGES; i++) {
		if (!model->pages[i])
			continue;
		add_run(&expected, model->pages[i], PAGE);
		expected.firsts[model->pages[i]] = 1;
	}
	assert_int_equal(seen.count, expected.count);
	assert_memory_equal(seen.runs, expected.runs, sizeof(seen.runs));
	assert_memory_equal(seen.firsts, expected.firsts, sizeof(seen.firsts));
}

static void assert_nothing(void)
{
	static const struct model nothing;

	assert_as_model(&nothing);
}

static void discard(uint32_t from, uint32_t to)
{
	la_maps_discard(la_maps_take(page_at(from), page_at(to)));
}

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

static uint64_t move(uint32_t from, uint32_t pages, uint32_t to,
		     uint32_t new_pages, uint32_t *site)
{
	return la_maps_move(la_maps_take(page_at(from), page_at(from + pages)),
			    page_at(from), page_at(to),
			    (uintptr_t)new_pages * PAGE, site);
}

static void test_remap_grows(void **state)
{
	static struct picture picture;
	uint32_t site = 0;

	(void)state;
	assert_true(la_maps_add(page_at(0), page_at(4), 7));
	assert_int_equal(move(0, 4, 0, 6, &site), 2 * PAGE);
	assert_int_equal(site, 7);
	site = 0;
	assert_int_equal(move(0, 6, 20, 9, &site), 3 * PAGE);
	assert_int_equal(site, 7);
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
	uint32_t site = 0;

	(void)state;
	assert_true(la_maps_add(page_at(0), page_at(4), 1));
	assert_true(la_maps_add(page_at(4), page_at(8), 2));
	assert_int_equal(move(0, 8, 0, 5, &site), 0);
	look(&picture);
	assert_run(&picture, 0, 1, 4);
	assert_run(&picture, 1, 2, 1);
	assert_int_equal(move(0, 5, 30, 2, &site), 0);
	look(&picture);
	assert_int_equal(picture.count, 1);
	assert_run(&picture, 0, 1, 2);
	discard(30, 32);
	assert_nothing();
}

static void test_remap_of_nothing(void **state)
{
	uint32_t site = 99;

	(void)state;
	assert_int_equal(move(0, 4, 20, 8, &site), 0);
	assert_int_equal(site, 99);
	assert_nothing();
}

static void test_remap_onto_others(void **state)
{
	static struct picture picture;
	uint32_t site;

	(void)state;
	assert_true(la_maps_add(page_at(0), page_at(4), 1));
	assert_true(la_maps_add(page_at(10), page_at(20), 2));
	assert_int_equal(move(0, 4, 12, 4, &site), 0);
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
	uint32_t site = 0;

	(void)state;
	assert_true(la_maps_add(page_at(0), page_at(4), 5));
	taken = la_maps_take(page_at(0), page_at(4));
	assert_int_equal(la_maps_copy(taken, page_at(0), page_at(40), 4 * PAGE,
				      &site),
			 4 * PAGE);
	la_maps_restore(taken);
	assert_int_equal(site, 5);
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

/* ---- random ---- */

struct range {
	uint32_t from, to;
};

static struct range random_range(uint64_t *seed)
{
	uint32_t a = (uint32_t)random_below(seed, PAGES);
	uint32_t length = (uint32_t)random_below(seed, 12) + 1;

	return (struct range){ a, a + length > PAGES ? PAGES : a + length };
}

static void model_clear(struct model *model, struct range range)
{
	for (uint32_t i = range.from; i < range.to; i++)
		model->pages[i] = 0;
}

static uint64_t model_bytes(const struct model *model, struct range range)
{
	uint64_t bytes = 0;

	for (uint32_t i = range.from; i < range.to; i++)
		bytes += model->pages[i] ? PAGE : 0;
	return bytes;
}

static void random_add(struct model *model, uint64_t *seed)
{
	struct range range = random_range(seed);
	uint32_t site = ++model->sites;

	assert_true(la_maps_add(page_at(range.from), page_at(range.to), site));
	for (uint32_t i = range.from; i < range.to; i++)
		model->pages[i] = site;
}

static void random_take(struct model *model, uint64_t *seed)
{
	struct range range = random_range(seed);
	struct la_map *taken =
		la_maps_take(page_at(range.from), page_at(range.to));

	assert_int_equal(la_maps_taken_bytes(taken),
			 model_bytes(model, range));
	if (random_below(seed, 2)) {
		la_maps_restore(taken);
		return;
	}
	la_maps_discard(taken);
	model_clear(model, range);
}

/*
 * What the kernel remaps is one mapping, or several that only shrink. So here:
 * whole pages of one object to any new length, or a range to a shorter one.
 */
static struct range range_to_remap(const struct model *model, uint64_t *seed)
{
	struct range range = random_range(seed);
	uint32_t site = model->pages[range.from];

	for (uint32_t i = range.from; i < range.to; i++)
		if (model->pages[i] != site)
			range.to = i;
	return range;
}

static void random_remap(struct model *model, uint64_t *seed)
{
	struct range old = range_to_remap(model, seed), new;
	uint32_t site = model->pages[old.from], told = 0;
	bool keep = random_below(seed, 3) == 0;
	struct la_map *taken;
	uint64_t grown, before = model_bytes(model, old), length;

	new = random_range(seed);
	if (!keep && random_below(seed, 2)) {
		new.to += old.from - new.from;
		new.from = old.from;
		if (new.to > PAGES)
			new.to = PAGES;
	} else if (new.from < old.to && old.from < new.to) {
		return; /* the kernel refuses */
	}
	length = (new.to - new.from) * (uint64_t)PAGE;
	taken = la_maps_take(page_at(old.from), page_at(old.to));
	if (keep) {
		grown = la_maps_copy(taken, page_at(old.from),
				     page_at(new.from), length, &told);
		la_maps_restore(taken);
		assert_int_equal(grown, site ? length : 0);
	} else {
		grown = la_maps_move(taken, page_at(old.from),
				     page_at(new.from), length, &told);
		assert_int_equal(grown, site && length > before ?
						length - before :
						0);
	}
	assert_int_equal(told, site);
	/* Nothing of the old range was recorded: nothing changes. */
	if (!site)
		return;
	if (!keep)
		model_clear(model, old);
	for (uint32_t i = new.from; i < new.to; i++)
		model->pages[i] = site;
}

static void random_shrink(struct model *model, uint64_t *seed)
{
	struct range old = random_range(seed);
	uint32_t pages = (uint32_t)random_below(seed, old.to - old.from) + 1;
	uint32_t site;

	/* Pages that are not recorded are no matter where they stay. */
	for (uint32_t i = old.from; i < old.to; i++)
		if (!model->pages[i])
			return;
	assert_int_equal(move(old.from, old.to - old.from, old.from, pages,
			      &site),
			 0);
	old.from += pages;
	model_clear(model, old);
}

static void run_model(uint64_t seed, int steps)
{
	static struct model model;

	memset(&model, 0, sizeof(model));
	for (int i = 0; i < steps; i++) {
		switch (random_below(&seed, 6)) {
		case 0:
		case 1:
			random_add(&model, &seed);
			break;
		case 2:
			random_take(&model, &seed);
			break;
		case 3:
			random_shrink(&model, &seed);
			break;
		default:
			random_remap(&model, &seed);
		}
		assert_as_model(&model);
	}
	discard(0, PAGES);
	assert_nothing();
}

static void test_against_model(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 60; seed++)
		run_model(seed, 1000);
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
		uint32_t at = first + 8 * i, site;

		la_maps_add(page_at(at), page_at(at + 4), number + 1);
		la_maps_restore(la_maps_take(page_at(at), page_at(at + 1)));
		discard(at + 2, at + 3);
		move(at, 2, at, 1, &site);
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
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_many_ranges),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
