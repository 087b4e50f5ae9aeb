/*
 * See heap.h. Open addressing with linear probing and backward-shift deletion
 * (Knuth, TAOCP vol. 3, 6.4, algorithm R), so that there are no tombstones. A
 * hash is scaled to the number of slots (Lemire, "Fast Random Integer Generation
 * in an Interval", 2019), which so can be any: parts grow by a fifth and not by
 * half, and are never less than two thirds full.
 */

#include "agent/heap.h"

#include "agent/filter.h"
#include "agent/index.h"
#include "agent/lock.h"
#include "agent/memory.h"
#include "agent/sampler.h"
#include "agent/system.h"

#include <stddef.h>
#include <string.h>

enum {
	FIRST_SLOTS = 32,
	PAGE_SLOTS = 256, /* that fill a page */
	ADDRESS_BITS = 48,
	FIRST_INTERVAL = 64, /* bytes */
	MOST_LATE = 8 /* a power of two: the counts may wrap round */
};

/* Address in the low 48 bits, upper 16 bits of the size above; 0 = free. */
struct slot {
	uint64_t address_and_size;
	uint32_t size;
	uint32_t site; /* 0: to be given up, in thin() only */
};

static struct shard {
	struct slot *slots;
	uint32_t capacity;
	uint32_t used;
	uint64_t interval;
	uint64_t random;
	/* Removed by handlers while their thread was in here: a ring, since
	 * handlers may add while their thread takes out. */
	uint32_t late_added, late_taken;
	uintptr_t late[MOST_LATE];
} __attribute__((aligned(64))) shards[LA_HEAP_SHARDS];

/* Blocks of one 64 KiB region are neighbours, and of one thread as a rule. */
static unsigned shard_of(uintptr_t address)
{
	return la_hash(address >> 16) % LA_HEAP_SHARDS;
}

static uint32_t home_of(const struct shard *shard, uintptr_t address)
{
	/* Blocks are at least 8 apart; spread what is in one region. */
	uint64_t hash = (address >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 32;

	return (uint32_t)(hash * shard->capacity >> 32);
}

static uint32_t after(const struct shard *shard, uint32_t at)
{
	return at + 1 == shard->capacity ? 0 : at + 1;
}

/* How far `at` is from `from`, in the direction of probing. */
static uint32_t distance(const struct shard *shard, uint32_t from, uint32_t at)
{
	return at >= from ? at - from : at + shard->capacity - from;
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
	uint32_t at = home_of(shard, address);

	for (;; at = after(shard, at)) {
		struct slot *slot = &shard->slots[at];

		if (!slot->address_and_size || address_of(slot) == address)
			return slot;
	}
}

/* Closes the gap at `hole`: no search may end there that went on before. */
static void close_gap(struct shard *shard, uint32_t hole)
{
	uint32_t at = after(shard, hole);

	for (; shard->slots[at].address_and_size; at = after(shard, at)) {
		uint32_t home = home_of(shard, address_of(&shard->slots[at]));

		/* Is the hole on this entry's way from its home to here? */
		if (distance(shard, home, at) >= distance(shard, hole, at)) {
			shard->slots[hole] = shard->slots[at];
			hole = at;
		}
	}
	shard->slots[hole].address_and_size = 0;
}

static void take_out(struct shard *shard, struct slot *slot)
{
	la_filter_remove((unsigned)(shard - shards), address_of(slot));
	shard->used--;
	close_gap(shard, (uint32_t)(slot - shard->slots));
}

static uint32_t next_capacity(uint32_t capacity)
{
	if (!capacity)
		return FIRST_SLOTS;
	if (capacity < PAGE_SLOTS)
		return PAGE_SLOTS;
	return capacity + (capacity / 5 / PAGE_SLOTS + 1) * PAGE_SLOTS;
}

static bool grow(struct shard *shard)
{
	struct shard old = *shard;
	uint32_t capacity = next_capacity(old.capacity);
	/* The first ones share pages: most shards of a small program stay so. */
	struct slot *larger =
		old.capacity ?
			la_memory_map_for(LA_MEMORY_LIVE,
					  capacity * sizeof(*larger)) :
			la_memory_keep(capacity * sizeof(*larger));

	if (!larger)
		return false;
	if (!old.capacity)
		shard->random = la_sampler_random();
	shard->slots = larger;
	shard->capacity = capacity;
	for (uint32_t i = 0; i < old.capacity; i++)
		if (old.slots[i].address_and_size)
			*find(shard, address_of(&old.slots[i])) = old.slots[i];
	if (old.capacity > FIRST_SLOTS)
		la_memory_unmap_for(LA_MEMORY_LIVE, old.slots,
				    old.capacity * sizeof(*old.slots));
	return true;
}

/* Samples the blocks of a part once more, with twice the interval. */
static void thin(struct shard *shard)
{
	uint64_t from = shard->interval;
	uint64_t to = from ? 2 * from : FIRST_INTERVAL;

	for (uint32_t i = 0; i < shard->capacity; i++) {
		struct slot *slot = &shard->slots[i];

		if (slot->address_and_size &&
		    !la_sampler_keep(&shard->random, block_of(slot).bytes, from,
				     to))
			slot->site = 0;
	}
	/* Taking one out may bring another to its place. */
	for (uint32_t i = 0; i < shard->capacity;) {
		struct slot *slot = &shard->slots[i];

		if (slot->address_and_size && !slot->site)
			take_out(shard, slot);
		else
			i++;
	}
	shard->interval = to;
}

static bool is_full(const struct shard *shard)
{
	return shard->used >= shard->capacity - shard->capacity / 5;
}

/* Room for one more, by whatever it takes. */
static bool make_room(struct shard *shard)
{
	if (grow(shard))
		return true;
	if (!shard->capacity)
		return false;
	while (shard->used > shard->capacity / 2 &&
	       shard->interval < LA_SAMPLER_MOST)
		thin(shard);
	return shard->used < shard->capacity - 1;
}

/* Whether the part's own, coarser sampling takes a block. */
static bool takes(struct shard *shard, struct la_block block)
{
	return la_likely(shard->interval <= la_sampler_interval) ||
	       la_sampler_keep(&shard->random, block.bytes, la_sampler_interval,
			       shard->interval);
}

static void put(struct shard *shard, uintptr_t address, struct la_block block)
{
	struct slot *slot = find(shard, address);

	if (!slot->address_and_size) {
		shard->used++;
		la_filter_add((unsigned)(shard - shards), address);
	}
	slot->address_and_size = address | block.bytes >> 32 << ADDRESS_BITS;
	slot->size = (uint32_t)block.bytes;
	slot->site = block.site;
}

static bool take_out_at(struct shard *shard, uintptr_t address,
			struct la_block *block)
{
	struct slot *slot = shard->capacity ? find(shard, address) : NULL;

	if (!slot || !slot->address_and_size)
		return false;
	*block = block_of(slot);
	take_out(shard, slot);
	return true;
}

/*
 * What handlers could not remove goes before anything else is done, and so
 * before anybody who is given the same address can record it.
 */
static struct shard *entered(unsigned number)
{
	struct shard *shard = &shards[number];
	struct la_block block;

	while (la_unlikely(shard->late_taken != shard->late_added)) {
		uintptr_t address = shard->late[shard->late_taken % MOST_LATE];

		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		shard->late_taken++;
		take_out_at(shard, address, &block);
	}
	return shard;
}

static struct shard *enter(unsigned number)
{
	la_lock(LA_LOCK_HEAP + number);
	return entered(number);
}

static void leave(unsigned number)
{
	la_unlock(LA_LOCK_HEAP + number);
}

static bool insert(uintptr_t address, struct la_block block, bool sampled)
{
	unsigned number = shard_of(address);
	struct shard *shard;
	bool room = true;

	if (la_unlikely(address >> ADDRESS_BITS))
		return false;
	shard = enter(number);
	/* Nothing is left that was sampled more coarsely. */
	if (la_unlikely(!shard->used))
		shard->interval = la_sampler_interval;
	if (la_unlikely(is_full(shard)))
		room = make_room(shard);
	if (room && (sampled || takes(shard, block)))
		put(shard, address, block);
	leave(number);
	return room;
}

bool la_heap_insert(uintptr_t address, struct la_block block)
{
	return insert(address, block, false);
}

bool la_heap_put_back(uintptr_t address, struct la_block block)
{
	return insert(address, block, true);
}

bool la_heap_resize(uintptr_t address, uint64_t bytes, struct la_block *was)
{
	unsigned number = shard_of(address);
	struct shard *shard = enter(number);
	struct slot *slot = shard->capacity ? find(shard, address) : NULL;
	bool may = slot && slot->address_and_size && !shard->interval;

	if (may) {
		*was = block_of(slot);
		put(shard, address,
		    (struct la_block){ .bytes = bytes, .site = was->site });
	}
	leave(number);
	return may;
}

bool la_heap_remove(uintptr_t address, struct la_block *block)
{
	unsigned number = shard_of(address);
	bool found = take_out_at(enter(number), address, block);

	leave(number);
	return found;
}

bool la_heap_remove_briefly(uintptr_t address, struct la_block *block,
			    bool *found)
{
	unsigned number = shard_of(address);

	if (!la_lock_briefly(LA_LOCK_HEAP + number))
		return false;
	*found = take_out_at(entered(number), address, block);
	leave(number);
	return true;
}

bool la_heap_remove_later(uintptr_t address)
{
	struct shard *shard = &shards[shard_of(address)];

	if (shard->late_added - shard->late_taken == MOST_LATE)
		return false;
	shard->late[shard->late_added % MOST_LATE] = address;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	shard->late_added++;
	return true;
}

bool la_heap_busy(uintptr_t address)
{
	return la_lock_held(LA_LOCK_HEAP + shard_of(address));
}

struct visitor {
	void (*visit)(void *argument, uintptr_t address, struct la_block block,
		      uint64_t interval);
	void *argument;
};

static void visit_slots(const struct slot *slots, uint32_t capacity,
			uint64_t interval, struct visitor visitor)
{
	for (uint32_t i = 0; i < capacity; i++)
		if (slots[i].address_and_size)
			visitor.visit(visitor.argument, address_of(&slots[i]),
				      block_of(&slots[i]), interval);
}

static size_t shard_bytes(const struct shard *shard)
{
	return shard->capacity * sizeof(struct slot);
}

/* From a copy, if there is room for one in `buffer`. */
static void walk_shard(unsigned number, struct slot *buffer, size_t size,
		       struct visitor visitor)
{
	const struct shard *shard = enter(number);
	uint64_t interval = shard->interval;
	uint32_t copied = 0;

	if (buffer && shard->slots && shard_bytes(shard) <= size) {
		copied = shard->capacity;
		memcpy(buffer, shard->slots, shard_bytes(shard));
	} else if (shard->slots) {
		visit_slots(shard->slots, shard->capacity, interval, visitor);
	}
	leave(number);
	visit_slots(buffer, copied, interval, visitor);
}

/* Enough for any of the parts, which may grow meanwhile. */
static size_t buffer_bytes(void)
{
	size_t most = 0;

	for (unsigned number = 0; number < LA_HEAP_SHARDS; number++) {
		la_lock(LA_LOCK_HEAP + number);
		if (shard_bytes(&shards[number]) > most)
			most = shard_bytes(&shards[number]);
		la_unlock(LA_LOCK_HEAP + number);
	}
	return 2 * most;
}

void la_heap_walk(void (*visit)(void *argument, uintptr_t address,
				struct la_block block, uint64_t interval),
		  void *argument)
{
	struct visitor visitor = { visit, argument };
	size_t size = buffer_bytes();
	struct slot *buffer = size ? la_memory_map(size) : NULL;

	for (unsigned number = 0; number < LA_HEAP_SHARDS; number++)
		walk_shard(number, buffer, size, visitor);
	la_memory_unmap(buffer, size);
}

void la_heap_walk_shard(unsigned shard, void (*visit)(uintptr_t address))
{
	for (uint32_t i = 0; i < shards[shard].capacity; i++)
		if (shards[shard].slots[i].address_and_size)
			visit(address_of(&shards[shard].slots[i]));
}
