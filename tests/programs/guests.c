/*
 * Loads a plugin that has its own way to what it calls: with RTLD_DEEPBIND its
 * malloc is libc's, before anybody's in the program; with dlmopen it has a libc
 * of its own. Blocks go to and fro, and it calls back into the program.
 *
 * usage: guests deepbind|dlmopen PLUGIN
 */
#define _GNU_SOURCE
#include "tests/programs/plugin.h"
#include "tests/programs/stacks.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static void *(*guest_allocate)(size_t);
static void (*guest_free)(void *);
static void (*guest_call)(void (*)(void));

NOINLINE static void called_back(void)
{
	keep(50);
	borrow(70);
}

int main(int count, char **arguments)
{
	int separate = count == 3 && !strcmp(arguments[1], "dlmopen");
	void *plugin, *symbol;

	if (count != 3)
		return 2;
	plugin = separate ? dlmopen(LM_ID_NEWLM, arguments[2], RTLD_NOW) :
			    dlopen(arguments[2], RTLD_NOW | RTLD_DEEPBIND);
	if (!plugin) {
		puts(dlerror());
		return 1;
	}
	symbol = plugin_function(plugin, "guest_allocate");
	memcpy(&guest_allocate, &symbol, sizeof(symbol));
	symbol = plugin_function(plugin, "guest_free");
	memcpy(&guest_free, &symbol, sizeof(symbol));
	symbol = plugin_function(plugin, "guest_call");
	memcpy(&guest_call, &symbol, sizeof(symbol));

	for (int i = 0; i < 100; i++) {
		void *theirs = guest_allocate(1000);

		memset(theirs, 1, 1000);
		/* Another libc has another heap. */
		if (separate)
			guest_free(theirs);
		else
			free(theirs);
		guest_call(called_back);
	}
	puts("done");
	return 0;
}
