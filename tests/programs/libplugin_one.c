/* A plugin; see plugins.c. */
#include <stdlib.h>

void *plugin_run(size_t size);

__attribute__((noinline)) static void *plugin_one_alloc(size_t size)
{
	void *volatile block = malloc(size);

	return block;
}

void *plugin_run(size_t size)
{
	void *volatile block = plugin_one_alloc(size);

	return block;
}
