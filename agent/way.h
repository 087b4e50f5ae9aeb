/*
 * The way of a stack: a number that tells stacks apart without any memory being
 * looked at, and that follows from the caller's by one multiplication.
 *
 * It is a polynomial of the frames' ids, modulo a prime (Karp, Rabin, "Efficient
 * Randomized Pattern-Matching Algorithms", 1987): so the way of a stack's inner
 * frames alone, as is wanted of stacks that are truncated, follows from the ways
 * of the stack and of the frames that are left out. Two different stacks have
 * the same way with a chance of 2^-61: among 10 million stacks, 1 in 46,000.
 */
#ifndef LA_WAY_H
#define LA_WAY_H

#include <stdint.h>

typedef uint64_t la_way; /* 0: none; with the same small chance, any */

#define LA_WAY_PRIME ((UINT64_C(1) << 61) - 1)
#define LA_WAY_BASE UINT64_C(0x0f3779b97f4a7c15)

/* Of no frames: of a stack's outer end, or of where it is cut. */
#define LA_WAY_WHOLE ((la_way)1)
#define LA_WAY_TRUNCATED ((la_way)2)

static inline uint64_t la_way_modulo(uint64_t number)
{
	number = (number & LA_WAY_PRIME) + (number >> 61);
	return number >= LA_WAY_PRIME ? number - LA_WAY_PRIME : number;
}

static inline uint64_t la_way_times(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return la_way_modulo((uint64_t)(product & LA_WAY_PRIME) +
			     (uint64_t)(product >> 61));
}

/* With one frame more. */
static inline la_way la_way_on(la_way caller, uint32_t frame)
{
	return la_way_modulo(la_way_times(caller, LA_WAY_BASE) + frame);
}

/* What la_way_truncated is told of so many frames. */
uint64_t la_way_power(unsigned frames);

/*
 * The way of the innermost frames of a stack, cut there. `outer` is that of the
 * frames that are left out, `power` la_way_power of the number that is kept.
 */
static inline la_way la_way_truncated(la_way whole, la_way outer,
				      uint64_t power)
{
	uint64_t other = la_way_times(
		la_way_modulo(LA_WAY_TRUNCATED + LA_WAY_PRIME - outer), power);

	return la_way_modulo(whole + other);
}

#endif
