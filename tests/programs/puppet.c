/*
 * Does what it is told on its standard input, one command a line, and says
 * "done COMMAND" after each:
 *
 *   alloc BYTES      one block, kept; every byte of it is written
 *   free             releases all blocks
 *   map BYTES        an anonymous mapping, kept
 *   snapshot REASON  through leakagent_snapshot, when there is an agent
 *   return STATUS    from main, as the end of the input does with 0
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BLOCKS 10000

int leakagent_snapshot(const char *reason) __attribute__((weak));

static void *blocks[BLOCKS];
static unsigned used;

__attribute__((noinline)) static void puppet_alloc(size_t size)
{
	void *block = malloc(size);

	if (!block || used == BLOCKS)
		abort();
	memset(block, 1, size);
	blocks[used++] = block;
}

__attribute__((noinline)) static void puppet_free(void)
{
	while (used)
		free(blocks[--used]);
}

__attribute__((noinline)) static void puppet_map(size_t size)
{
	if (mmap(NULL, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		abort();
}

static void obey(const char *command, const char *argument)
{
	size_t number = strtoull(argument, NULL, 10);

	if (!strcmp(command, "alloc"))
		puppet_alloc(number);
	else if (!strcmp(command, "free"))
		puppet_free();
	else if (!strcmp(command, "map"))
		puppet_map(number);
	else if (!strcmp(command, "snapshot") && leakagent_snapshot)
		leakagent_snapshot(argument);
	else if (!strcmp(command, "return"))
		exit((int)number);
}

int main(void)
{
	/* No buffers of stdio's: what is allocated is what was asked for. */
	static char line[256];
	char command[32], argument[200];

	setvbuf(stdin, NULL, _IONBF, 0);
	setvbuf(stdout, NULL, _IONBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		argument[0] = '\0';
		if (sscanf(line, "%31s %199s", command, argument) < 1)
			continue;
		obey(command, argument);
		printf("done %s", line);
	}
	return 0;
}
