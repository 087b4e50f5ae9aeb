/*
 * The table of live mappings, against a model that keeps one word for each
 * page: which object it belongs to.
 */
#include "tests/support/map_pages.h"

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

/* ---- what may happen, in any order ---- */

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
	uint32_t site = model->pages[old.from];
	bool keep = random_below(seed, 3) == 0;
	struct la_map *taken;
	uint64_t before = model_bytes(model, old), length;

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
	note_growth(0, 0);
	if (keep) {
		la_maps_copy(taken, page_at(old.from), page_at(new.from),
			     length, note_growth);
		la_maps_restore(taken);
		before = 0;
	} else {
		la_maps_move(taken, page_at(old.from), page_at(new.from),
			     length, note_growth);
	}
	assert_int_equal(grown, site && length > before ? length - before : 0);
	assert_int_equal(grown_site, grown ? site : 0);
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

	/* Pages that are not recorded are no matter where they stay. */
	for (uint32_t i = old.from; i < old.to; i++)
		if (!model->pages[i])
			return;
	move(old.from, old.to - old.from, old.from, pages);
	assert_int_equal(grown, 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
