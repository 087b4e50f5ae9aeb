/*
 * A plugin that allocates, gives back what it is given, and calls back: for
 * programs that load it in ways in which its calls do not reach the agent.
 */
#include <stdlib.h>

void *guest_allocate(size_t size);
void guest_free(void *block);
void guest_call(void (*callback)(void));

void *guest_allocate(size_t size)
{
	return malloc(size);
}

void guest_free(void *block)
{
	free(block);
}

void guest_call(void (*callback)(void))
{
	callback();
	__asm__ volatile("" : : : "memory");
}
