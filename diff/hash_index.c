/*
 * Open addressing with linear probing, at most half full. A slot holds half of
 * the hash, so that keys are hardly ever compared in vain.
 */
#include "diff/hash_index.h"

#include "diff/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

uint64_t hash_secret;

/* The kernel gives every program sixteen random bytes. */
static void __attribute__((constructor)) choose_secret(void)
{
	const void *bytes = (const void *)getauxval(AT_RANDOM);

	if (bytes)
		memcpy(&hash_secret, bytes, sizeof(hash_secret));
}

struct hash_slot {
	uint32_t item; /* number + 1; 0 = empty */
	uint32_t hash;
};

/* The slot position comes from other bits than the stored half. */
static size_t slot_of(const struct hash_index *index, uint32_t hash)
{
	return (hash * UINT32_C(0x85ebca6b)) & (index->size - 1);
}

static uint32_t fold(uint64_t hash)
{
	return (uint32_t)(hash ^ (hash >> 32));
}

uint32_t hash_index_find(const struct hash_index *index, uint64_t hash,
			 hash_same *same, const void *key)
{
	uint32_t folded = fold(hash);
	size_t slot;

	if (!index->size)
		return HASH_INDEX_NONE;
	slot = slot_of(index, folded);
	for (; index->slots[slot].item; slot = (slot + 1) & (index->size - 1)) {
		if (index->slots[slot].hash == folded &&
		    same(key, index->slots[slot].item - 1))
			return index->slots[slot].item - 1;
	}
	return HASH_INDEX_NONE;
}

static void insert(struct hash_index *index, struct hash_slot entry)
{
	size_t slot = slot_of(index, entry.hash);

	while (index->slots[slot].item)
		slot = (slot + 1) & (index->size - 1);
	index->slots[slot] = entry;
}

static void enlarge(struct hash_index *index)
{
	struct hash_index larger = {.size = index->size ? index->size * 2 : 64};

	larger.count = index->count;
	larger.slots = memory_alloc(larger.size, sizeof(*larger.slots));
	for (size_t i = 0; i < index->size; i++) {
		if (index->slots[i].item)
			insert(&larger, index->slots[i]);
	}
	free(index->slots);
	*index = larger;
}

void hash_index_add(struct hash_index *index, uint64_t hash, uint32_t item)
{
	if (index->count * 2 >= index->size)
		enlarge(index);
	insert(index, (struct hash_slot){item + 1, fold(hash)});
	index->count++;
}

void hash_index_free(struct hash_index *index)
{
	free(index->slots);
	memset(index, 0, sizeof(*index));
}

uint64_t hash_text(const char *text)
{
	uint64_t hash = 0;

	while (*text)
		hash = hash_mix(hash, (unsigned char)*text++);
	return hash;
}
