/*
 * Allocates before main and after it: in a constructor, in the destructor of a
 * thread's data, and in a function that runs at exit. Each keeps a block of its
 * own size; two are allocated before any library is initialised and have to be
 * as good as any other.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static pthread_key_t key;
static void *first_block, *volatile second_block;
void *volatile kept_block;

#define KEEPER(name, size)                                                     \
	__attribute__((noinline)) static void name(void)                       \
	{                                                                      \
		kept_block = malloc(size);                                     \
		if (!kept_block)                                               \
			abort();                                               \
	}

KEEPER(keep_in_constructor, 222)
KEEPER(keep_in_thread_data, 333)
KEEPER(keep_at_exit, 444)

__attribute__((noinline)) static void keep_before_libraries(void)
{
	void *volatile others[3] = { malloc(10), calloc(10, 10), malloc(20) };

	for (int i = 0; i < 3; i++)
		free(others[i]);
	first_block = malloc(11);
	first_block = realloc(first_block, 111);
	second_block = calloc(1, 112);
	if (!first_block || !second_block)
		abort();
}

__attribute__((section(".preinit_array"), used)) static void (*const early)(
	void) = keep_before_libraries;

__attribute__((constructor)) static void construct(void)
{
	keep_in_constructor();
}

static void at_exit(void)
{
	keep_at_exit();
	first_block = realloc(first_block, 1110);
	puts(first_block ? "larger" : "out of memory");
}

static void destroy(void *value)
{
	(void)value;
	keep_in_thread_data();
}

static void *in_thread(void *argument)
{
	pthread_setspecific(key, argument);
	return NULL;
}

int main(void)
{
	pthread_t thread;

	atexit(at_exit);
	if (pthread_key_create(&key, destroy) ||
	    pthread_create(&thread, NULL, in_thread, &key))
		return 1;
	pthread_join(thread, NULL);
	return 0;
}
