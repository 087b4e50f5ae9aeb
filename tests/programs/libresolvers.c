/* build: -fno-plt -Wl,-soname,libresolvers.so -lstdc++ */
/*
 * A function that is chosen_in_library while this library is relocated: the one that
 * chooses allocates, when libraries that were loaded before this one, such as
 * an agent, are not yet relocated themselves.
 */
#include "tests/programs/resolvers.h"

#include <stdlib.h>
#include <string.h>

/* operator new[] and delete[], as a library in C++ would call them. */
void *_Znam(size_t size);
void _ZdaPv(void *block);

static char *whole, *of_operator;

static int answer(void)
{
	return 42;
}

/* clang does not see that it is. */
__attribute__((used)) static int (*choose(void))(void)
{
	char *block = calloc(10, 10);
	void *other = malloc(5000), *aligned;

	free(other);
	_ZdaPv(_Znam(100));
	of_operator = _Znam(200);
	if (!posix_memalign(&aligned, 64, 64))
		free(aligned);
	if (block && !block[99])
		block = realloc(block, RESOLVERS_BYTES);
	memset(block, 'r', RESOLVERS_BYTES);
	whole = block;
	return answer;
}

/* Another name than the program's own: clang makes it known to everybody. */
static int chosen_in_library(void) __attribute__((ifunc("choose")));

int libresolvers_answer(void)
{
	_ZdaPv(of_operator);
	return chosen_in_library();
}

char *libresolvers_block(void)
{
	return whole;
}
