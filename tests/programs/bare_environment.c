/*
 * A program that shows what it does in its process title, as servers do: it
 * writes over its arguments and its environment; then it has none at all, and
 * goes on in a child.
 */
#define _GNU_SOURCE
#include "tests/programs/stacks.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **arguments)
{
	char *first = arguments[0], *end = first;
	pid_t child;

	keep(100);
	unsetenv("LD_PRELOAD");
	for (int i = 0; i < count; i++)
		if (arguments[i] == end)
			end += strlen(end) + 1;
	for (char **variable = environ; *variable; variable++)
		if (*variable == end)
			end += strlen(end) + 1;
	memset(first, 'x', (size_t)(end - first) - 1);
	environ = NULL;
	keep(200);
	child = fork();
	if (!child) {
		keep(300);
		exit(0);
	}
	waitpid(child, NULL, 0);
	puts("done");
	return 0;
}
