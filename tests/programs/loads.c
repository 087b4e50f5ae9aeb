/* build: -Wl,--no-as-needed -lstdc++ */
/*
 * Loads a plugin: loads PLUGIN. The C++ runtime is there from the start, but
 * nothing has used it yet.
 */
#include <dlfcn.h>
#include <stdio.h>

int main(int count, char **arguments)
{
	void *plugin = count == 2 ? dlopen(arguments[1], RTLD_NOW) : NULL;

	puts(plugin ? "loaded" : dlerror());
	return 0;
}
