/*
 * What libreload_one and libreload_two are made of: the same code, but for the
 * name of the function that calls back.
 */
#include "tests/programs/stacks.h"

void reload_call(void (*call)(void));

NOINLINE static void RELOAD_NAME(void (*call)(void))
{
	char room[200];

	USED(room);
	call();
	USED(room);
}

void reload_call(void (*call)(void))
{
	RELOAD_NAME(call);
	NO_TAIL_CALL;
}
