/* build: -fno-plt */
/*
 * Functions that are chosen by others that allocate: in a library, while it is
 * relocated, and in the program. What they have allocated is as good as any
 * other block later.
 */
#include "tests/programs/resolvers.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *block;
void *volatile resolvers_kept;

static int answer(void)
{
	return 43;
}

/* clang does not see that it is. */
__attribute__((used)) static int (*choose(void))(void)
{
	block = malloc(RESOLVERS_BYTES);
	if (block)
		memset(block, 'r', RESOLVERS_BYTES);
	return answer;
}

static int chosen(void) __attribute__((ifunc("choose")));

static int is_whole(const char *bytes)
{
	for (int i = 0; i < RESOLVERS_BYTES; i++)
		if (bytes[i] != 'r')
			return 0;
	return malloc_usable_size((void *)bytes) >= RESOLVERS_BYTES;
}

__attribute__((noinline)) static void resolvers_keep(void)
{
	resolvers_kept = malloc(777);
}

int main(void)
{
	char *other = libresolvers_block();

	printf("%d %d\n", libresolvers_answer(), chosen());
	printf("%d %d\n", is_whole(other), is_whole(block));
	other = realloc(other, 100000);
	printf("%c\n", other[RESOLVERS_BYTES - 1]);
	free(other);
	free(block);
	resolvers_keep();
	return 0;
}
