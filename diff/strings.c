/*
 * The string interner.
 */
#include "diff/strings.h"

#include <stdlib.h>
#include <string.h>

struct string_key {
	const struct strings *strings;
	const char *text;
};

static bool same_text(const void *key, uint32_t item)
{
	const struct string_key *wanted = key;

	return !strcmp(wanted->text, wanted->strings->texts[item]);
}

uint32_t strings_number(struct strings *strings, const char *text)
{
	const struct string_key key = {strings, text};
	uint64_t hash = hash_text(text);
	uint32_t number = hash_index_find(&strings->index, hash, same_text,
					  &key);
	size_t size;
	char *copy;

	if (number != HASH_INDEX_NONE)
		return number;
	size = strlen(text) + 1;
	copy = arena_alloc(&strings->arena, size);
	memcpy(copy, text, size);
	strings->texts = memory_extend(strings->texts, strings->count,
				       &strings->capacity,
				       sizeof(*strings->texts));
	strings->texts[strings->count] = copy;
	hash_index_add(&strings->index, hash, (uint32_t)strings->count);
	return (uint32_t)strings->count++;
}

const char *strings_text(const struct strings *strings, uint32_t number)
{
	return strings->texts[number];
}

const char *strings_intern(struct strings *strings, const char *text)
{
	return strings_text(strings, strings_number(strings, text));
}

void strings_free(struct strings *strings)
{
	hash_index_free(&strings->index);
	free(strings->texts);
	arena_free(&strings->arena);
	memset(strings, 0, sizeof(*strings));
}
