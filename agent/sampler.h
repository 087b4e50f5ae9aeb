/*
 * Which allocations are recorded when not all are: a Poisson process over the
 * bytes that a thread allocates, `interval` bytes apart on average. A block of
 * s bytes is hit with probability 1 - exp(-s/interval), whatever was allocated
 * before it, and stands for 1/probability blocks of its size: sums of that are
 * unbiased. A block that is hit more than once is one sample.
 *
 * Each thread counts down to its next sample on its own: nothing is shared.
 */
#ifndef LA_SAMPLER_H
#define LA_SAMPLER_H

#include "agent/system.h"
#include "agent/visibility.h"

#include <stdbool.h>
#include <stdint.h>

/* The largest interval, in bytes: distances stay far from overflowing. */
#define LA_SAMPLER_MOST (UINT64_C(1) << 40)

/* A thread's; zeroed before its first use. */
struct la_sampler {
	int64_t until; /* bytes that are let pass before the next sample */
	uint64_t random;
	bool begun;
};

/* Mean bytes between samples, 0 = every block. Constant once booted. */
extern LA_HIDDEN uint64_t la_sampler_interval;

/*
 * Sets the interval, and what the threads' random numbers begin with: equal
 * seeds give equal samples, thread by thread in the order of their first
 * allocation. Seed 0 is replaced by one of the kernel's. Before any other use.
 */
void la_sampler_boot(uint64_t interval, uint64_t seed);

/* The rest of la_sampler_takes: a point was reached, or there is none yet. */
bool la_sampler_arrives(struct la_sampler *sampler);

/*
 * The first half of la_sampler_takes, which is all for most blocks: true when a
 * point is reached, and la_sampler_arrives is to be asked.
 */
static inline bool la_sampler_reaches(struct la_sampler *sampler,
				      uint64_t bytes)
{
	sampler->until -= (int64_t)(bytes + !bytes);
	return la_unlikely(sampler->until < 0);
}

/*
 * Whether a block of so many bytes is sampled; an empty one counts as a byte.
 * Always true when the interval is 0. Once for each block, on its thread.
 */
static inline bool la_sampler_takes(struct la_sampler *sampler, uint64_t bytes)
{
	return la_sampler_reaches(sampler, bytes) &&
	       la_sampler_arrives(sampler);
}

/*
 * The probability that a block is sampled, 1 for interval 0; within 1e-14 of
 * the true value, relatively. Calculates with floating point: on a host's
 * thread only inside la_arch_calculate.
 */
double la_sampler_chance(uint64_t bytes, uint64_t interval);

/* A state of random numbers of its own, repeatable as the threads' are. */
uint64_t la_sampler_random(void);

/*
 * Whether a block that was sampled at interval `from` is among those that
 * sampling at the larger interval `to` takes: true with the ratio of the two
 * chances. *random is the state of the caller's random numbers, at first one of
 * la_sampler_random. Any thread.
 */
bool la_sampler_keep(uint64_t *random, uint64_t bytes, uint64_t from,
		     uint64_t to);

/*
 * The bytes that a block stands for when it was sampled: bytes / chance. Any
 * thread.
 */
uint64_t la_sampler_scale(uint64_t bytes, uint64_t interval);

#endif
