/*
 * The agent's own memory: mapped from the kernel, never from the host's
 * allocator, accounted so that every snapshot can say what the agent itself
 * costs, and limited: beyond the limit there is none, and whoever asked must do
 * with what it has. Any thread, any time; no locks but in la_memory_keep, no
 * errno.
 */
#ifndef LA_MEMORY_H
#define LA_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What memory is for; each must leave room for those that follow. */
enum la_memory_use {
	LA_MEMORY_STACKS, /* frames, stacks, sites: half the limit at most */
	LA_MEMORY_LIVE,   /* live blocks: three quarters at most */
	LA_MEMORY_THREADS, /* what is kept for threads and small things */
	LA_MEMORY_REST,
	LA_MEMORY_SNAPSHOT, /* out of what is reserved for it */
	LA_MEMORY_USES
};

/* Limits all of it to so many bytes, 0 = unlimited. Before there are threads. */
void la_memory_boot(uint64_t limit);
uint64_t la_memory_limit(void);

/* Zeroed, page-aligned memory, or NULL: there is none, or not for that use. */
void *la_memory_map_for(enum la_memory_use use, size_t bytes);
void la_memory_unmap_for(enum la_memory_use use, void *memory, size_t bytes);

/* The same for the rest. */
void *la_memory_map(size_t bytes);
void la_memory_unmap(void *memory, size_t bytes);

/*
 * Keeps so many bytes free for snapshots, for ever, at the cost of stacks:
 * false if these may not grow so far.
 */
bool la_memory_reserve(size_t bytes);

/*
 * Bytes from shared chunks of LA_MEMORY_THREADS, zeroed and aligned to 16, or
 * NULL. Cannot be given back: for what lives as long as the process.
 */
void *la_memory_keep(size_t bytes);

/* Bytes mapped at present, by all of the agent. */
size_t la_memory_bytes(void);

#endif
