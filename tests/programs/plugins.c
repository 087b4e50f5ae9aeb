/* build: -ldl */
/*
 * Loads one plugin, lets it allocate, unloads it, and does the same with
 * another that lands at the same address; then the first again. Says whether
 * the addresses were the same.
 *
 * usage: plugins ONE.so TWO.so
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>

int leakagent_snapshot(const char *reason) __attribute__((weak));

static ElfW(Addr) run_plugin(const char *path, size_t size)
{
	void *plugin = dlopen(path, RTLD_NOW);
	void *(*run)(size_t);
	struct link_map *map;
	ElfW(Addr) base;

	if (!plugin || dlinfo(plugin, RTLD_DI_LINKMAP, &map)) {
		fprintf(stderr, "plugins: %s\n", dlerror());
		exit(1);
	}
	base = map->l_addr;
	*(void **)&run = dlsym(plugin, "plugin_run");
	if (!run || !run(size))
		exit(1);
	/* Tells of the first while it is still there. */
	if (leakagent_snapshot && size == 1001)
		leakagent_snapshot("first");
	dlclose(plugin);
	return base;
}

int main(int argc, char **argv)
{
	ElfW(Addr) one, two, again;

	if (argc != 3)
		return 2;
	/* What an agent's thread maps for its start is gone then. */
	if (leakagent_snapshot)
		leakagent_snapshot("start");
	one = run_plugin(argv[1], 1001);
	two = run_plugin(argv[2], 2002);
	again = run_plugin(argv[1], 3003);
	puts(one == two && two == again ? "same address" : "other addresses");
	return 0;
}
