/* build: -O2 -Wl,-z,lazy -fplt */
/*
 * A plugin that calls a function of its own through the loader, which looks for
 * it when it is called for the first time; then the function is chosen among
 * several (STT_GNU_IFUNC), and that allocates. See lazy.c.
 */
#include "tests/programs/stacks.h"

int lazy_choice(void);
int lazy_caller(void);

NOINLINE static int one(void)
{
	return 1;
}

__attribute__((used)) static int (*choose(void))(void)
{
	keep(100);
	return one;
}

int lazy_choice(void) __attribute__((ifunc("choose")));

int lazy_caller(void)
{
	return lazy_choice() + 1;
}
