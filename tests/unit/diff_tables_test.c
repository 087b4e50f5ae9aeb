/* What finds things: hashes, ids, strings; and the memory they live in. */
#include "diff/hash_index.h"
#include "diff/id_map.h"
#include "diff/memory.h"
#include "diff/strings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>

static const int *numbers;

static bool same_number(const void *key, uint32_t item)
{
	return numbers[item] == *(const int *)key;
}

static uint32_t find(const struct hash_index *index, int number,
		     uint64_t hash)
{
	return hash_index_find(index, hash, same_number, &number);
}

static void test_hash_index(void **state)
{
	static int list[5000];
	struct hash_index index = {0};

	(void)state;
	numbers = list;
	assert_int_equal(find(&index, 1, 1), HASH_INDEX_NONE);
	for (int i = 0; i < 5000; i++) {
		list[i] = i * 7;
		hash_index_add(&index, hash_mix(0, (uint64_t)i), (uint32_t)i);
	}
	for (int i = 0; i < 5000; i++)
		assert_int_equal(find(&index, i * 7, hash_mix(0, (uint64_t)i)),
				 i);
	assert_int_equal(find(&index, 1, hash_mix(0, 5000)), HASH_INDEX_NONE);
	hash_index_free(&index);
}

static void test_equal_hashes(void **state)
{
	static const int list[] = {3, 1, 4, 15, 9};
	struct hash_index index = {0};

	(void)state;
	numbers = list;
	for (uint32_t i = 0; i < 5; i++)
		hash_index_add(&index, 42, i);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(find(&index, list[i], 42), i);
	assert_int_equal(find(&index, 5, 42), HASH_INDEX_NONE);
	hash_index_free(&index);
}

static void check_ids(const uint64_t *ids, size_t count)
{
	struct arena arena = {0};
	struct id_map map;

	assert_true(id_map_build(&map, ids, count, &arena));
	for (size_t i = 0; i < count; i++)
		assert_int_equal(id_map_find(&map, ids[i]), i);
	assert_int_equal(id_map_find(&map, 0), ID_MAP_NONE);
	assert_int_equal(id_map_find(&map, 77), ID_MAP_NONE);
	assert_int_equal(id_map_find(&map, UINT64_MAX - 1), ID_MAP_NONE);
	arena_free(&arena);
}

/* Keys that collide in one run do not in the next. */
static void test_hashes_are_secret(void **state)
{
	uint64_t secret = hash_secret, number, text;

	(void)state;
	assert_true(secret != 0);
	number = hash_mix(0, 1);
	text = hash_text("a");
	hash_secret = ~secret;
	assert_true(hash_mix(0, 1) != number);
	assert_true(hash_text("a") != text);
	hash_secret = secret;
	assert_true(hash_mix(0, 1) == number);
}

static void test_ids(void **state)
{
	(void)state;
	check_ids((const uint64_t[]){1, 2, 3, 4}, 4);
	check_ids((const uint64_t[]){4, 2, 3, 1}, 4);
	check_ids((const uint64_t[]){10, UINT64_MAX, 5, 1ULL << 32}, 4);
	check_ids(NULL, 0);
}

static void test_bad_ids(void **state)
{
	static const uint64_t bad[][3] = {{1, 0, 2}, {1, 2, 2}, {9, 5, 9}};
	struct arena arena = {0};
	struct id_map map;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_false(id_map_build(&map, bad[i], 3, &arena));
	arena_free(&arena);
}

static void test_strings(void **state)
{
	struct strings strings = {0};
	char name[16];

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "name %u", i);
		assert_int_equal(strings_number(&strings, name), i);
	}
	assert_int_equal(strings_number(&strings, "name 500"), 500);
	assert_string_equal(strings_text(&strings, 7), "name 7");
	assert_ptr_equal(strings_intern(&strings, "name 7"),
			 strings_text(&strings, 7));
	strings_free(&strings);
}

static void test_arena(void **state)
{
	struct arena arena = {0};
	char *blocks[2000];

	(void)state;
	for (size_t i = 0; i < 2000; i++) {
		blocks[i] = arena_alloc(&arena, i % 37 * 100);
		assert_non_null(blocks[i]);
		assert_int_equal((uintptr_t)blocks[i] % alignof(max_align_t),
				 0);
		memset(blocks[i], (int)(i & 127), i % 37 * 100);
	}
	for (size_t i = 0; i < 2000; i++) {
		for (size_t j = 0; j < i % 37 * 100; j++)
			assert_int_equal(blocks[i][j], i & 127);
	}
	arena_free(&arena);
}

static void test_arena_limit(void **state)
{
	struct arena arena = {.limit = 8 << 20};
	size_t blocks = 0;

	(void)state;
	assert_null(arena_alloc(&arena, 9 << 20));
	assert_null(arena_alloc(&arena, SIZE_MAX));
	while (arena_alloc(&arena, 1000) && blocks < 100000)
		blocks++;
	assert_in_range(blocks, 5000, 8389);
	arena_free(&arena);
	assert_non_null(arena_alloc(&arena, 1 << 20));
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash_index),
		cmocka_unit_test(test_equal_hashes),
		cmocka_unit_test(test_hashes_are_secret),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_bad_ids),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_arena),
		cmocka_unit_test(test_arena_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
