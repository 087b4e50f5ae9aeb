/*
 * Loads a plugin by a relative path, changes its folder, loads another one and
 * drops it again, and calls the first again. Asks it for what it loads itself.
 *
 * usage: wanderer FOLDER
 */
#define _GNU_SOURCE
#include "tests/programs/plugin.h"
#include "tests/programs/stacks.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void *load(const char *path)
{
	void *plugin = dlopen(path, RTLD_NOW);

	if (!plugin) {
		puts(dlerror());
		exit(1);
	}
	return plugin;
}

NOINLINE static void called_back(void)
{
	keep(50);
}

int main(int count, char **arguments)
{
	void (*guest_call)(void (*)(void));
	int (*ask_below)(void);
	void *symbol;

	if (count != 2 || chdir(arguments[1]))
		return 2;
	symbol = plugin_function(load("./libguest.so"), "guest_call");
	memcpy(&guest_call, &symbol, sizeof(symbol));
	guest_call(called_back);
	symbol = plugin_function(load("./librunpath.so"), "ask_below");
	memcpy(&ask_below, &symbol, sizeof(symbol));
	if (chdir("/"))
		return 3;
	printf("%d\n", ask_below());
	dlclose(load("libz.so.1"));
	guest_call(called_back);
	return 0;
}
