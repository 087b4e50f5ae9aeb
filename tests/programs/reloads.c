/* build: -ldl */
/*
 * Loads one of two plugins, calls through it a function that allocates, unloads
 * it, and loads the other, which lands at the same address and makes the same
 * stack, word by word. Says whether the addresses were the same.
 *
 * usage: reloads ONE.so TWO.so ROUNDS
 */
#define _GNU_SOURCE
#include "tests/programs/stacks.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int leakagent_snapshot(const char *reason) __attribute__((weak));

static size_t bytes;

static void reload_back(void)
{
	keep(bytes);
	borrow(bytes);
}

static uintptr_t call_through(const char *path)
{
	void *plugin = dlopen(path, RTLD_NOW);
	void (*call)(void (*)(void));
	void *symbol = plugin ? dlsym(plugin, "reload_call") : NULL;

	if (!symbol)
		abort();
	memcpy(&call, &symbol, sizeof(symbol));
	call(reload_back);
	dlclose(plugin);
	return (uintptr_t)symbol;
}

int main(int argc, char **argv)
{
	int same = 1;

	if (argc != 4)
		return 2;
	/* What an agent's thread maps for its start is gone then. */
	if (leakagent_snapshot)
		leakagent_snapshot("start");
	for (int rounds = atoi(argv[3]); rounds > 0; rounds--) {
		bytes = 10;
		uintptr_t one = call_through(argv[1]);

		bytes = 20;
		same &= call_through(argv[2]) == one;
	}
	puts(same ? "same address" : "other addresses");
	return 0;
}
