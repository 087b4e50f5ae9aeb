/*
 * A program with a malloc of its own, which wants to be alone for a while: it
 * tells how many threads it has, creates one, and tells again. Then it waits for
 * the end of its input.
 *
 * usage: own_malloc [alone]     that: it ends without ever having had another
 */
#include <dirent.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static char arena[1 << 20];
static size_t used;

void *malloc(size_t size)
{
	size_t *block = (size_t *)(arena + used);

	used += (size + 2 * sizeof(size_t) + 15) & ~(size_t)15;
	if (used > sizeof(arena))
		return NULL;
	*block = size;
	return block + 2;
}

void free(void *block)
{
	(void)block;
}

void *calloc(size_t count, size_t size)
{
	return malloc(count * size);
}

void *realloc(void *old, size_t size)
{
	void *block = malloc(size);

	if (old && block)
		memcpy(block, old,
		       ((size_t *)old)[-2] < size ? ((size_t *)old)[-2] : size);
	return block;
}

static unsigned threads(void)
{
	DIR *folder = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned count = 0;

	while ((entry = readdir(folder)))
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

static void *wait_there(void *unused)
{
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	printf("alone: %u\n", threads());
	if (argc > 1 && !strcmp(argv[1], "alone"))
		return 0;
	if (pthread_create(&thread, NULL, wait_there, NULL))
		return 1;
	pthread_join(thread, NULL);
	puts(malloc(100) ? "works" : "does not work");
	fflush(stdout);
	getchar();
	return 0;
}
