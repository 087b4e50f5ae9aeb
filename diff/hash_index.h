/*
 * Finds items of an array by their contents. It keeps only item numbers and
 * hashes; the owner of the array compares. Items are never removed.
 */
#ifndef DIFF_HASH_INDEX_H
#define DIFF_HASH_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_INDEX_NONE UINT32_MAX

/* All zeros is an empty index. */
struct hash_index {
	struct hash_slot *slots;
	size_t size; /* of slots: 0 or a power of two */
	size_t count;
};

/* Does item number `item` of the owner's array hold what `key` describes? */
typedef bool hash_same(const void *key, uint32_t item);

/* The number of the item that equals the key, or HASH_INDEX_NONE. */
uint32_t hash_index_find(const struct hash_index *index, uint64_t hash,
			 hash_same *same, const void *key);

/* Adds an item that is known not to be there. */
void hash_index_add(struct hash_index *index, uint64_t hash, uint32_t item);

void hash_index_free(struct hash_index *index);

/*
 * Another number in each run: keys come out of files, and nobody is to make a
 * file of keys that collide. Only what is compared may depend on it.
 */
extern uint64_t hash_secret;

/* Mixes a value into a hash; start with 0. */
static inline uint64_t hash_mix(uint64_t hash, uint64_t value)
{
	__extension__ typedef unsigned __int128 wide;
	wide product = (wide)(hash ^ value ^ hash_secret) *
		       UINT64_C(0x9e3779b97f4a7c15);

	return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

uint64_t hash_text(const char *text);

#endif
