/*
 * Grows by 4,000 MB in blocks of 1 MB that are not written to, says so, and ends
 * when its input does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BLOCKS = 4000, BLOCK = 1000000 };

int main(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		void *volatile block = malloc(BLOCK);

		(void)block;
		if (i % 10 == 0)
			usleep(100);
	}
	puts("grown");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
