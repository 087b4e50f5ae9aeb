/* A library whose fork handlers allocate and free, as some really do. */
#include <pthread.h>
#include <stdlib.h>

static void *block;

static void use_the_heap(void)
{
	free(block);
	block = malloc(500);
}

__attribute__((constructor)) static void install(void)
{
	pthread_atfork(use_the_heap, use_the_heap, use_the_heap);
}
