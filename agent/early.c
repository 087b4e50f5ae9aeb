/* See early.h. */

#include "agent/early.h"

#include "agent/real.h"

enum { MOST_BLOCKS = 256 };

bool la_early_over;

static struct la_early_block blocks[MOST_BLOCKS];
static unsigned count;
static bool overflow;

void la_early_add(const void *block, size_t bytes, uintptr_t caller)
{
	/* Those of the bootstrap arena are never given back, and the loader's
	 * own are not the program's. */
	if (!block || la_bootstrap_owns(block) ||
	    la_in_range(la_loader_range, caller))
		return;
	if (count == MOST_BLOCKS) {
		overflow = true;
		return;
	}
	blocks[count++] = (struct la_early_block){ block, bytes, caller };
}

void la_early_remove(const void *block)
{
	for (unsigned i = 0; i < count; i++)
		if (blocks[i].block == block) {
			blocks[i] = blocks[--count];
			return;
		}
}

void la_early_end(void)
{
	la_early_over = true;
}

bool la_early_visit(void (*visit)(const struct la_early_block *early))
{
	for (unsigned i = 0; i < count; i++)
		visit(&blocks[i]);
	count = 0;
	return !overflow;
}
