/*
 * See heap.h. Open addressing with linear probing and backward-shift deletion
 * (Knuth, TAOCP vol. 3, 6.4, algorithm R), so that there are no tombstones.
 */

#include "agent/heap.h"

#include "agent/index.h"
#include "agent/lock.h"
#include "agent/memory.h"

enum { FIRST_SLOTS = 32, ADDRESS_BITS = 48 };

/* Address in the low 48 bits, upper 16 bits of the size above; 0 = free. */
struct slot {
	uint64_t address_and_size;
	uint32_t size;
	uint32_t site;
};

static struct shard {
	struct slot *slots;
	uint32_t mask;
	uint32_t used;
} __attribute__((aligned(64))) shards[LA_HEAP_SHARDS];

/* Blocks of one 64 KiB region are neighbours, and of one thread as a rule. */
static unsigned shard_of(uintptr_t address)
{
	return la_hash(address >> 16) % LA_HEAP_SHARDS;
}

static uint32_t home_of(uintptr_t address)
{
	/* Blocks are at least 8 apart; spread what is in one region. */
	return (uint32_t)((address >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

static uintptr_t address_of(const struct slot *slot)
{
	return slot->address_and_size & ((UINT64_C(1) << ADDRESS_BITS) - 1);
}

static struct la_block block_of(const struct slot *slot)
{
	return (struct la_block){
		.bytes = slot->size |
			 slot->address_and_size >> ADDRESS_BITS << 32,
		.site = slot->site,
	};
}

/* The slot that holds the address, or the free one where it belongs. */
static struct slot *find(const struct shard *shard, uintptr_t address)
{
	uint32_t at = home_of(address);

	for (;; at++) {
		struct slot *slot = &shard->slots[at & shard->mask];

		if (!slot->address_and_size || address_of(slot) == address)
			return slot;
	}
}

static bool grow(struct shard *shard)
{
	struct slot *old = shard->slots;
	uint32_t old_slots = old ? shard->mask + 1 : 0;
	uint32_t slots = old ? 2 * old_slots : FIRST_SLOTS;
	/* The first ones share pages: most shards of a small program stay so. */
	struct slot *larger =
		old ? la_memory_map(slots * sizeof(*larger)) :
		      la_memory_keep(slots * sizeof(*larger));

	if (!larger)
		return false;
	shard->slots = larger;
	shard->mask = slots - 1;
	for (uint32_t i = 0; i < old_slots; i++)
		if (old[i].address_and_size)
			*find(shard, address_of(&old[i])) = old[i];
	if (old_slots > FIRST_SLOTS)
		la_memory_unmap(old, old_slots * sizeof(*old));
	return true;
}

bool la_heap_insert(uintptr_t address, struct la_block block)
{
	unsigned number = shard_of(address);
	struct shard *shard = &shards[number];
	bool room = true;

	la_lock(LA_LOCK_HEAP + number);
	if (!shard->slots || shard->used >= shard->mask - shard->mask / 4)
		room = grow(shard) || (shard->slots && shard->used < shard->mask);
	if (room) {
		struct slot *slot = find(shard, address);

		shard->used += !slot->address_and_size;
		slot->address_and_size =
			address | block.bytes >> 32 << ADDRESS_BITS;
		slot->size = (uint32_t)block.bytes;
		slot->site = block.site;
	}
	la_unlock(LA_LOCK_HEAP + number);
	return room;
}

/* Closes the gap at `hole`: no search may end there that went on before. */
static void close_gap(struct shard *shard, uint32_t hole)
{
	uint32_t mask = shard->mask;

	for (uint32_t at = (hole + 1) & mask;; at = (at + 1) & mask) {
		struct slot *slot = &shard->slots[at];

		if (!slot->address_and_size)
			break;
		uint32_t home = home_of(address_of(slot)) & mask;

		/* Is the hole on this entry's way from its home to here? */
		if (((at - home) & mask) >= ((at - hole) & mask)) {
			shard->slots[hole] = *slot;
			hole = at;
		}
	}
	shard->slots[hole].address_and_size = 0;
}

bool la_heap_remove(uintptr_t address, struct la_block *block)
{
	unsigned number = shard_of(address);
	struct shard *shard = &shards[number];
	bool found = false;

	la_lock(LA_LOCK_HEAP + number);
	if (shard->slots) {
		struct slot *slot = find(shard, address);

		found = slot->address_and_size != 0;
		if (found) {
			*block = block_of(slot);
			shard->used--;
			close_gap(shard, (uint32_t)(slot - shard->slots));
		}
	}
	la_unlock(LA_LOCK_HEAP + number);
	return found;
}

bool la_heap_busy(uintptr_t address)
{
	return la_lock_held(LA_LOCK_HEAP + shard_of(address));
}

void la_heap_walk(void (*visit)(void *argument, uintptr_t address,
				struct la_block block),
		  void *argument)
{
	for (unsigned number = 0; number < LA_HEAP_SHARDS; number++) {
		const struct shard *shard = &shards[number];

		la_lock(LA_LOCK_HEAP + number);
		for (uint32_t i = 0; shard->slots && i <= shard->mask; i++)
			if (shard->slots[i].address_and_size)
				visit(argument, address_of(&shard->slots[i]),
				      block_of(&shard->slots[i]));
		la_unlock(LA_LOCK_HEAP + number);
	}
}
