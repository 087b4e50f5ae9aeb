/* Kills its children as soon as it has them, while they come out of fork. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 100, BYTES = 16 << 20, PATIENCE = 150 };

int main(void)
{
	char *block = malloc(BYTES);

	/* Much memory makes fork slow. */
	memset(block, 1, BYTES);
	alarm(PATIENCE);
	for (int i = 0; i < CHILDREN; i++) {
		int status;
		pid_t child = fork();

		if (!child) {
			alarm(PATIENCE);
			for (;;)
				pause();
		}
		kill(child, SIGTERM);
		waitpid(child, &status, 0);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGTERM)
			printf("a child ended with %x\n", (unsigned)status);
	}
	free(block);
	puts("done");
	return 0;
}
