/*
 * A program in C, whose plugins bring their own operators new and delete: each
 * is to be served by its own, also once another was unloaded.
 *
 * usage: own_operators PLUGIN [COPY-OF-IT]
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void use(void *plugin)
{
	int (*ours_are_used)(void);
	void *symbol = dlsym(plugin, "ours_are_used");

	memcpy(&ours_are_used, &symbol, sizeof(symbol));
	puts(ours_are_used() ? "its own" : "another's");
}

static void *load(const char *path)
{
	void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!plugin) {
		puts(dlerror());
		exit(1);
	}
	return plugin;
}

int main(int count, char **arguments)
{
	void *one, *two;

	if (count != 2 && count != 3)
		return 2;
	one = load(arguments[1]);
	use(one);
	if (count == 2)
		return 0;
	two = load(arguments[2]);
	use(two);
	use(one);
	dlclose(one);
	use(two);
	return 0;
}
