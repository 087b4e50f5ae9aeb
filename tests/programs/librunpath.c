/* build: -Wl,--enable-new-dtags,-rpath,$ORIGIN/below */
/*
 * A plugin that loads another one, which the loader finds only because it is
 * this object that asks.
 */
#include <dlfcn.h>
#include <string.h>

int ask_below(void);

int ask_below(void)
{
	void *below = dlopen("libbelow.so", RTLD_NOW);
	void *symbol = below ? dlsym(below, "below") : NULL;
	int (*function)(void);

	if (!symbol)
		return -1;
	memcpy(&function, &symbol, sizeof(symbol));
	return function();
}
