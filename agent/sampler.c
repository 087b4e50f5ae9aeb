/* See sampler.h. */

#include "agent/sampler.h"

#include "agent/arch.h"

#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>

uint64_t la_sampler_interval;

static uint64_t first_random;
static uint64_t states; /* of random numbers that were begun */

/* SplitMix64: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number
 * Generators" (2014). */
static uint64_t next_random(uint64_t *state)
{
	uint64_t mixed = *state += UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ mixed >> 31;
}

/*
 * Whether a run of falling random numbers that begins with `first` has an odd
 * length: of probability exp(-first / 2^64).
 */
static bool falls_oddly(uint64_t *random, uint64_t first)
{
	uint64_t last = first, next;
	bool odd = true;

	while ((next = next_random(random)) < last) {
		last = next;
		odd = !odd;
	}
	return odd;
}

/*
 * An exponentially distributed number of that mean, rounded down. By comparing
 * random numbers only (von Neumann, "Various Techniques Used in Connection with
 * Random Digits", 1951), so that nothing depends on the host's floating point.
 */
static int64_t draw_distance(uint64_t *random, uint64_t mean)
{
	uint64_t whole = 0, first = next_random(random);

	while (!falls_oddly(random, first)) {
		whole++;
		first = next_random(random);
	}
	return (int64_t)(whole * mean +
			 (uint64_t)((unsigned __int128)first * mean >> 64));
}

static uint64_t kernel_random(void)
{
	uint64_t number = 0;
	const void *given = (const void *)getauxval(AT_RANDOM);

	if (la_arch_syscall(SYS_getrandom, (long)&number, sizeof(number),
			    GRND_NONBLOCK, 0, 0, 0) != sizeof(number) &&
	    given)
		memcpy(&number, given, sizeof(number));
	return number;
}

void la_sampler_boot(uint64_t interval, uint64_t seed)
{
	la_sampler_interval = interval;
	first_random = seed ? seed : kernel_random();
	states = 0;
}

uint64_t la_sampler_random(void)
{
	uint64_t number = __atomic_fetch_add(&states, 1, __ATOMIC_RELAXED);

	return first_random + next_random(&number);
}

/* Takes away what the thread's first block has counted already. */
static void begin(struct la_sampler *sampler)
{
	sampler->random = la_sampler_random();
	sampler->begun = true;
	sampler->until +=
		draw_distance(&sampler->random, la_sampler_interval);
}

bool __attribute__((noinline)) la_sampler_arrives(struct la_sampler *sampler)
{
	if (!la_sampler_interval) {
		sampler->until = 0;
		return true;
	}
	if (!sampler->begun) {
		begin(sampler);
		if (sampler->until >= 0)
			return false;
	}
	/* What lies behind a point does not depend on how it was reached. */
	sampler->until = draw_distance(&sampler->random, la_sampler_interval);
	return true;
}

/* 1 - exp(-x) for 0 <= x < 1/16: the first terms of its series. */
static double small_chance(double x)
{
	enum { TERMS = 11 };
	double sum = 0;

	for (int n = TERMS; n > 0; n--)
		sum = x / n * (1 - sum);
	return sum;
}

double la_sampler_chance(uint64_t bytes, uint64_t interval)
{
	enum { CERTAIN = 64 };
	int halvings = 0;
	double x, chance;

	bytes += !bytes;
	if (!interval || bytes / interval >= CERTAIN)
		return 1;
	x = (double)bytes / (double)interval;
	for (; x >= 1.0 / 16; halvings++)
		x /= 2;
	chance = small_chance(x);
	/* Missed in twice as many bytes: missed in both halves. */
	for (; halvings > 0; halvings--)
		chance *= 2 - chance;
	return chance;
}

struct choice {
	uint64_t *random;
	uint64_t bytes, from, to;
	bool keep;
};

static void choose(void *argument)
{
	struct choice *choice = argument;
	double number = (double)(next_random(choice->random) >> 11) * 0x1p-53;

	choice->keep = number * la_sampler_chance(choice->bytes, choice->from) <
		       la_sampler_chance(choice->bytes, choice->to);
}

bool la_sampler_keep(uint64_t *random, uint64_t bytes, uint64_t from,
		     uint64_t to)
{
	struct choice choice = { random, bytes, from, to, true };

	if (to > from)
		la_arch_calculate(choose, &choice);
	return choice.keep;
}

struct scaled {
	uint64_t bytes, interval;
};

static void scale(void *argument)
{
	struct scaled *scaled = argument;

	scaled->bytes = (uint64_t)((double)scaled->bytes /
				   la_sampler_chance(scaled->bytes,
						     scaled->interval));
}

uint64_t la_sampler_scale(uint64_t bytes, uint64_t interval)
{
	struct scaled scaled = { bytes, interval };

	if (interval)
		la_arch_calculate(scale, &scaled);
	return scaled.bytes;
}
