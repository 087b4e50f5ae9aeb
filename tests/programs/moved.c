/*
 * Goes where daemons go, then has children that come to their own end: into
 * another root, as another user.
 *
 * usage: moved root FOLDER | moved user | moved user-later
 *        user-later: each child becomes that user by itself
 */
#define _GNU_SOURCE
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534, CHILDREN = 3 };

void *volatile moved_blocks[CHILDREN + 1];

__attribute__((noinline)) static void moved_keep(int at)
{
	moved_blocks[at] = malloc(1000);
	if (!moved_blocks[at])
		abort();
}

static int become_nobody(void)
{
	return setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY);
}

static int go(const char *how, const char *folder)
{
	if (!strcmp(how, "root"))
		return chroot(folder) || chdir("/");
	return strcmp(how, "user") ? 0 : become_nobody();
}

static int child(const char *how, int number)
{
	if (!strcmp(how, "user-later") && become_nobody())
		return 1;
	moved_keep(number);
	return 0;
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	int status;

	moved_keep(0);
	if (go(how, argc > 2 ? argv[2] : "")) {
		perror(how);
		return 1;
	}
	for (int i = 1; i <= CHILDREN; i++) {
		pid_t process = fork();

		if (!process)
			exit(child(how, i));
		if (waitpid(process, &status, 0) != process || status)
			return 2;
	}
	puts("all done");
	return 0;
}
