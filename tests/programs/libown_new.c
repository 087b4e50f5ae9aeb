/*
 * A plugin whose operators new and delete are its own: they serve from a pool,
 * and ours_are_used() says whether they do. By their mangled names, since a
 * compiler would turn `delete new int` into nothing.
 */
#include <stddef.h>

void *_Znwm(size_t size);
void _ZdlPv(void *block);
int ours_are_used(void);

static char pool[4096];
static size_t used, freed;

void *_Znwm(size_t size)
{
	used += (size + 15) & ~(size_t)15;
	return pool + used - ((size + 15) & ~(size_t)15);
}

void _ZdlPv(void *block)
{
	freed += (char *)block >= pool && (char *)block < pool + sizeof(pool);
}

int ours_are_used(void)
{
	size_t before = freed;
	char *block = _Znwm(16);
	int ours = block >= pool && block < pool + sizeof(pool);

	_ZdlPv(block);
	return ours && freed == before + 1;
}
