/* What programs share that call functions of a library they have loaded. */
#ifndef PLUGIN_H
#define PLUGIN_H

#include <dlfcn.h>
#include <stdlib.h>

/* It has to have it. */
static void *plugin_function(void *plugin, const char *name)
{
	void *found = dlsym(plugin, name);

	if (!found)
		abort();
	return found;
}

#endif
