/*
 * Blocks that the program takes before libc is initialised (.preinit_array),
 * when tracking cannot begin yet: remembered, with who asked for them, until it
 * does. There is one thread then.
 */
#ifndef LA_EARLY_H
#define LA_EARLY_H

#include "agent/visibility.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct la_early_block {
	const void *block;
	size_t bytes;
	uintptr_t caller; /* return address */
};

/* Whether that time has passed; set by la_early_end. */
extern LA_HIDDEN bool la_early_over;

/* By hooks that let calls pass: a block came, or goes; NULL is none. */
void la_early_add(const void *block, size_t bytes, uintptr_t caller);
void la_early_remove(const void *block);

/* From now on nothing is remembered. */
void la_early_end(void);

/* Once tracking is on: tells each that is still there; false: there were more. */
bool la_early_visit(void (*visit)(const struct la_early_block *early));

#endif
