/* Much thread-local data: libc takes it out of each thread's stack. */
#include <stdio.h>

static __thread char data[900 * 1024];

int main(void)
{
	for (unsigned i = 0; i < sizeof(data); i += 4096)
		data[i] = 1;
	puts("used");
	return 0;
}
