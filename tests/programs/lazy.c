/* build: -ldl */
/*
 * Calls a function of a plugin that is bound when it is first called: what
 * allocates meanwhile has the loader's trampoline on its stack, which saves all
 * registers on a stack that it has realigned, and finds its caller through rbx.
 *
 * usage: lazy PLUGIN.so
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	void *plugin = argc == 2 ? dlopen(argv[1], RTLD_LAZY) : NULL;
	void *symbol = plugin ? dlsym(plugin, "lazy_caller") : NULL;
	int (*caller)(void);

	if (!symbol)
		return 2;
	memcpy(&caller, &symbol, sizeof(symbol));
	return caller() + caller() != 4;
}
