/* Ids under hashes, and elements that never move; read while others add. */
#include "agent/array.h"
#include "agent/index.h"
#include "agent/lock.h"

#include "tests/support/agent_check.h"

#include <string.h>

/* How often `id` comes under `hash`; *total is how many ids come at all. */
static unsigned occurrences(const struct la_index *index, uint32_t hash,
			    uint32_t id, unsigned *total)
{
	struct la_index_cursor cursor = { 0 };
	unsigned found = 0;
	uint32_t next;

	*total = 0;
	while ((next = la_index_next(index, hash, &cursor))) {
		found += next == id;
		++*total;
	}
	return found;
}

static void test_nothing_in_an_empty_one(void **state)
{
	struct la_index index = { 0 };
	unsigned total;

	(void)state;
	assert_int_equal(occurrences(&index, 0, 1, &total), 0);
	assert_int_equal(total, 0);
	assert_int_equal(la_index_add(&index, 5, 1), 0);
	assert_int_equal(occurrences(&index, 6, 1, &total), 0);
	assert_int_equal(total, 0);
}

static void test_borders_of_hashes_and_ids(void **state)
{
	static const uint32_t values[] = { 0, 1, 0x7fffffff, 0x80000000,
					   UINT32_MAX };
	struct la_index index = { 0 };
	unsigned total;

	(void)state;
	for (size_t i = 0; i < array_length(values); i++)
		for (size_t j = 1; j < array_length(values); j++)
			assert_int_equal(la_index_add(&index, values[i],
						      values[j]),
					 0);
	for (size_t i = 0; i < array_length(values); i++)
		for (size_t j = 1; j < array_length(values); j++) {
			assert_int_equal(occurrences(&index, values[i],
						     values[j], &total),
					 1);
			assert_int_equal(total, array_length(values) - 1);
		}
}

static void test_growth_keeps_all(void **state)
{
	enum { IDS = 500 * 1000 };
	struct la_index index = { 0 };
	unsigned total;

	(void)state;
	for (uint32_t id = 1; id <= IDS; id++)
		assert_int_equal(la_index_add(&index, la_hash(id), id), 0);
	for (uint32_t id = 1; id <= IDS; id++)
		assert_int_equal(occurrences(&index, la_hash(id), id, &total),
				 1);
	assert_int_equal(occurrences(&index, la_hash(IDS + 1), IDS + 1, &total),
			 0);
}

/* Neighbouring and equal hashes, at the end of the table too. */
static void test_collisions(void **state)
{
	enum { IDS = 3000 };
	struct la_index index = { 0 };
	unsigned total;

	(void)state;
	for (uint32_t id = 1; id <= IDS; id++)
		assert_int_equal(la_index_add(&index, UINT32_MAX - id % 7, id),
				 0);
	for (uint32_t id = 1; id <= IDS; id++) {
		assert_int_equal(occurrences(&index, UINT32_MAX - id % 7, id,
					     &total),
				 1);
		assert_true(total >= IDS / 7 && total <= IDS / 7 + 1);
	}
}

static void test_hash_spreads(void **state)
{
	static uint32_t buckets[1024];
	uint32_t fullest = 0;

	(void)state;
	/* Addresses as code has them: 1024 on average, 1200 is five sigma. */
	memset(buckets, 0, sizeof(buckets));
	for (uint64_t i = 0; i < 1 << 20; i++)
		buckets[la_hash(0x7f1234500000 + 16 * i) % 1024]++;
	for (size_t i = 0; i < array_length(buckets); i++)
		if (buckets[i] > fullest)
			fullest = buckets[i];
	assert_true(fullest < 1200);
}

/* ---- array ---- */

struct element {
	uint32_t id;
	char text[20];
};

static void test_elements_stay(void **state)
{
	enum { ELEMENTS = 20000 };
	static struct element *where[ELEMENTS + 1];
	struct la_array array = LA_ARRAY_OF(struct element, LA_MEMORY_REST);
	static const struct element zero;

	(void)state;
	assert_int_equal(la_array_count(&array), 0);
	for (uint32_t id = 1; id <= ELEMENTS; id++) {
		where[id] = la_array_reserve(&array);
		assert_non_null(where[id]);
		assert_memory_equal(where[id], &zero, sizeof(zero));
		/* Reserved again as long as it was not published. */
		assert_ptr_equal(la_array_reserve(&array), where[id]);
		assert_int_equal(la_array_count(&array), id - 1);
		memset(where[id], 0xff, sizeof(zero));
		where[id]->id = id;
		assert_int_equal(la_array_publish(&array), id);
	}
	for (uint32_t id = 1; id <= ELEMENTS; id++) {
		assert_ptr_equal(la_array_at(&array, id), where[id]);
		assert_int_equal(where[id]->id, id);
	}
}

/* ---- readers without a lock ---- */

enum { THREADS = 4, PUBLISHED = 100 * 1000 };

static struct la_index shared_index;
static struct la_array shared_array = LA_ARRAY_OF(struct element, LA_MEMORY_REST);

static void append(uint32_t id)
{
	struct element *element;

	la_lock(LA_LOCK_NODES);
	element = la_array_reserve(&shared_array);
	element->id = id;
	note_unless(!la_index_add(&shared_index, la_hash(id), id));
	note_unless(la_array_publish(&shared_array) == id);
	la_unlock(LA_LOCK_NODES);
}

static void append_or_read(unsigned number)
{
	uint64_t seed = number;

	if (!number) {
		for (uint32_t id = 1; id <= PUBLISHED; id++)
			append(id);
		return;
	}
	for (;;) {
		uint32_t count = la_array_count(&shared_array);
		unsigned total;

		if (!count)
			continue;
		uint32_t id = (uint32_t)random_below(&seed, count) + 1;
		struct element *element = la_array_at(&shared_array, id);

		note_unless(element->id == id);
		note_unless(occurrences(&shared_index, la_hash(id), id,
					&total) == 1);
		if (count == PUBLISHED)
			break;
	}
}

static void test_what_is_published_is_found(void **state)
{
	(void)state;
	crew(THREADS, append_or_read);
	assert_int_equal(la_array_count(&shared_array), PUBLISHED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_in_an_empty_one),
		cmocka_unit_test(test_borders_of_hashes_and_ids),
		cmocka_unit_test(test_growth_keeps_all),
		cmocka_unit_test(test_collisions),
		cmocka_unit_test(test_hash_spreads),
		cmocka_unit_test(test_elements_stay),
		cmocka_unit_test(test_what_is_published_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
