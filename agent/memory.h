/*
 * The agent's own memory: mapped from the kernel, never from the host's
 * allocator, and accounted so that every snapshot can say what the agent
 * itself costs. Any thread, any time; no locks, no errno.
 */
#ifndef LA_MEMORY_H
#define LA_MEMORY_H

#include <stddef.h>

/* Zeroed, page-aligned memory, or NULL. */
void *la_memory_map(size_t bytes);
void la_memory_unmap(void *memory, size_t bytes);

/*
 * Bytes from shared chunks, zeroed and aligned to 16, or NULL. Cannot be given
 * back: for what lives as long as the process.
 */
void *la_memory_keep(size_t bytes);

/* Bytes mapped at present, by all of the agent. */
size_t la_memory_bytes(void);

#endif
