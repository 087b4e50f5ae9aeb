/* Innermost ranges, against a search through all of them. */
#include "diff/address_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#define NONE UINT32_MAX

static uint32_t find(const struct address_map *map, uint64_t address)
{
	uint32_t value;

	return address_map_find(map, address, &value) ? value : NONE;
}

static void test_empty(void **state)
{
	struct address_map map = { 0 };

	(void)state;
	assert_int_equal(address_map_build(&map), 0);
	assert_int_equal(find(&map, 0), NONE);
	assert_int_equal(address_map_add(&map,
					 (struct address_range){ 5, 5, 0, 1 }),
			 0);
	assert_int_equal(address_map_add(&map,
					 (struct address_range){ 6, 5, 0, 1 }),
			 0);
	assert_int_equal(address_map_build(&map), 0);
	assert_int_equal(find(&map, 5), NONE);
	address_map_free(&map);
}

static void test_nested(void **state)
{
	static const struct address_range ranges[] = {
		{ 10, 100, 1, 0 },  { 10, 20, 2, 1 }, { 12, 14, 3, 2 },
		{ 50, 60, 2, 3 },   { 90, 100, 2, 4 },
		{ 200, 300, 1, 5 }, /* in two parts with one below */
		{ 400, 450, 1, 5 },
		/* the very same range: by depth, then the lower value */
		{ 500, 510, 2, 6 }, { 500, 510, 1, 7 }, { 600, 610, 0, 8 },
		{ 600, 610, 0, 9 }, { 700, 720, 0, 10 }, { 700, 710, 0, 11 },
	};
	static const uint32_t expected[][2] = {
		{ 9, NONE }, { 10, 1 },	    { 12, 2 },   { 14, 1 },
		{ 20, 0 },   { 59, 3 },	    { 60, 0 },   { 99, 4 },
		{ 100, NONE }, { 299, 5 },  { 300, NONE }, { 449, 5 },
		{ 505, 6 },  { 600, 8 },    { 609, 8 },  { 705, 11 },
		{ 715, 10 },
	};
	struct address_map map = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++)
		address_map_add(&map, ranges[i]);
	assert_int_equal(address_map_build(&map), 0);
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++)
		assert_int_equal(find(&map, expected[i][0]), expected[i][1]);
	address_map_free(&map);
}

/* Properly nested ranges at random: halves of halves. */
static void split(struct address_map *map, uint64_t low, uint64_t high,
		  uint32_t depth, uint32_t *innermost, uint32_t *count)
{
	uint32_t value = (*count)++;
	uint64_t middle;

	if (depth > 6 || high - low < 4)
		return;
	address_map_add(map, (struct address_range){ low, high, depth, value });
	for (uint64_t i = low; i < high; i++)
		innermost[i] = value;
	middle = low + (uint64_t)rand() % (high - low);
	split(map, low, middle, depth + 1, innermost, count);
	split(map, middle + (uint64_t)rand() % (high - middle), high, depth + 1,
	      innermost, count);
}

static void test_random(void **state)
{
	uint32_t innermost[1000];

	(void)state;
	srand(1);
	for (int round = 0; round < 200; round++) {
		struct address_map map = { 0 };
		uint32_t count = 0;

		for (size_t i = 0; i < 1000; i++)
			innermost[i] = NONE;
		split(&map, 0, 1000, 0, innermost, &count);
		assert_int_equal(address_map_build(&map), 0);
		for (uint64_t i = 0; i < 1000; i++)
			assert_int_equal(find(&map, i), innermost[i]);
		address_map_free(&map);
	}
}

/* Ranges that only overlap come from broken files: any of them will do. */
static void test_overlapping(void **state)
{
	(void)state;
	srand(2);
	for (int round = 0; round < 200; round++) {
		struct address_range ranges[50];
		struct address_map map = { 0 };

		for (uint32_t i = 0; i < 50; i++) {
			ranges[i] = (struct address_range){
				(uint64_t)rand() % 100,
				(uint64_t)rand() % 100, (uint32_t)rand() % 4, i
			};
			address_map_add(&map, ranges[i]);
		}
		assert_int_equal(address_map_build(&map), 0);
		for (uint64_t at = 0; at < 100; at++) {
			uint32_t found = find(&map, at);

			if (found != NONE)
				assert_in_range(at, ranges[found].low,
						ranges[found].high - 1);
			for (uint32_t i = 0; found == NONE && i < 50; i++)
				assert_false(at >= ranges[i].low &&
					     at < ranges[i].high);
		}
		address_map_free(&map);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_overlapping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
