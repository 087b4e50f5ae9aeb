/* See libwalkers.c. */
#ifndef TESTS_LIBWALKERS_H
#define TESTS_LIBWALKERS_H

#include <stdint.h>

/* The last ones are not plain: their frames have no simple rules. */
enum { WALK_PLAIN = 18, WALK_ALL = 20 };

struct walk {
	void (*look)(struct walk *walk); /* counts looks */
	uint64_t random;
	unsigned first, kinds; /* of walkers, which go round */
	unsigned looks, enough;
	void *start[5];
};

/* Walks until there were enough looks, with up to so many frames at once. */
void walk_about(struct walk *walk, unsigned levels);

#endif
