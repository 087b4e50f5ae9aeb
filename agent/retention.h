/*
 * Which of the files that this process wrote are still there, and which of them
 * goes next: never the first, and so that the others cover the whole run. On
 * the agent's thread.
 */
#ifndef LA_RETENTION_H
#define LA_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

struct la_kept {
	uint64_t utc_ns; /* only for its name: that clock may be set back */
	uint64_t taken_ns; /* by the monotonic clock */
	uint64_t bytes;
	uint32_t sequence;
};

void la_retention_add(struct la_kept file);
uint32_t la_retention_count(void);

/* The bytes of all files but the first: what could be given up. */
uint64_t la_retention_spare_bytes(void);

/*
 * Takes the next one to go out of the list, given that a file taken at
 * `newest_ns` is about to be added; false when none may go.
 */
bool la_retention_thin(uint64_t newest_ns, struct la_kept *victim);

void la_retention_clear(void);

#endif
