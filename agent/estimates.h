/*
 * What sampled blocks stand for: a block of s bytes that was sampled with
 * probability p is 1/p blocks and s/p bytes, and adds (1 - p)/p^2 to the
 * variance of the number of blocks, s^2 times that to the bytes'.
 *
 * Here is what was ever allocated, by site; what is live is summed from the
 * blocks themselves, snapshot by snapshot.
 */
#ifndef LA_ESTIMATES_H
#define LA_ESTIMATES_H

#include <stdbool.h>
#include <stdint.h>

struct la_estimate {
	double objects, bytes;
	double objects_variance, bytes_variance;
};

/* Adds a block. With floating point: see la_arch_calculate. */
void la_estimate_add(struct la_estimate *estimate, uint64_t bytes,
		     uint64_t interval);

/* Makes room for a new site; false when memory ran out. Any thread. */
bool la_estimates_reserve(uint32_t site);

/* Counts a block that was sampled for a site that has room. Any thread. */
void la_estimates_add(uint32_t site, uint64_t bytes, uint64_t interval);

/*
 * Copies the estimates of sites 1 .. `most` to to[1] ...; zeros for those
 * without any. On the agent's thread.
 */
void la_estimates_copy(struct la_estimate *to, uint32_t most);

#endif
