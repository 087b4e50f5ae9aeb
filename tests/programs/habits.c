/*
 * What a host may rely on and an agent may easily disturb: errno, descriptor
 * numbers, the signal mask, alignment, the working directory, its children,
 * and that closing every descriptor harms nobody. Prints what it finds; must
 * print the same without the agent.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int leakagent_snapshot(const char *reason) __attribute__((weak));

static void print_errno(void)
{
	void *volatile block;

	errno = 0;
	block = malloc(SIZE_MAX / 2);
	printf("malloc of too much: %p %d\n", block, errno);
	errno = 77;
	block = malloc(100);
	block = realloc(block, 1000000);
	free(block);
	printf("after success: %d\n", errno);
	block = malloc(100);
	errno = 0;
	printf("realloc of too much: %p", realloc(block, SIZE_MAX / 2));
	printf(" %d\n", errno);
	free(block);
}

static void print_alignment(void)
{
	for (size_t alignment = 16; alignment <= 65536; alignment *= 2) {
		void *block = memalign(alignment, 3 * alignment);
		void *other = aligned_alloc(alignment, alignment);

		printf("%zu: %zu %zu\n", alignment,
		       (uintptr_t)block % alignment,
		       (uintptr_t)other % alignment);
		free(block);
		free(other);
	}
	printf("usable size of nothing: %zu\n", malloc_usable_size(NULL));
}

static void print_descriptors(const char *when)
{
	int first = open("/dev/null", O_RDONLY);
	int second = dup(first);
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(folder))
		count++;
	closedir(folder);
	printf("%s: next descriptors %d %d, %d open\n", when, first, second,
	       count);
	close(first);
	close(second);
}

static void print_mask(void)
{
	sigset_t mask;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int number = 1; number < 65; number++)
		if (sigismember(&mask, number) == 1)
			printf("blocked: %d\n", number);
}

static void snapshot(const char *reason)
{
	if (leakagent_snapshot)
		leakagent_snapshot(reason);
}

int main(void)
{
	char folder[4096];

	print_errno();
	print_alignment();
	print_descriptors("at start");
	snapshot("one");
	print_descriptors("after a snapshot");
	print_mask();
	printf("in %s\n", getcwd(folder, sizeof(folder)) ? "its folder" : "-");
	printf("system: %d\n", system("exit 3"));
	printf("children left: %d\n", (int)waitpid(-1, NULL, 0));
	fflush(stdout);

	/* As daemons do. The output is kept for the last words. */
	if (dup2(1, 99) != 99 || chdir("/"))
		return 1;
	for (int i = 0; i < 99; i++)
		close(i);
	snapshot("two");
	if (open("/dev/null", O_RDWR) != 0 || dup2(99, 1) != 1)
		return 1;
	print_descriptors("after closing all");
	return 0;
}
