/* Grows by 4,000 MB in blocks of 1 MB that are not written to. */
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
	return 0;
}
