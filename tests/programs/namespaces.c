/*
 * Enters namespaces, among them those that take only processes with one thread,
 * and asks for what no process gets; before and after, it allocates. Prints what
 * each call said.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static void *volatile kept[16];
static int calls;

/* As each call does, one of 1000 bytes. */
static void __attribute__((noinline)) keep_one(void)
{
	kept[calls++] = malloc(1000);
}

static void said(const char *what, int result)
{
	printf("%s: %s\n", what, result ? strerror(errno) : "ok");
	fflush(stdout);
	keep_one();
}

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		printf("%s: %s\n", path, strerror(errno));
	close(fd);
}

static void map_id(const char *path, int outside)
{
	char map[64];

	snprintf(map, sizeof(map), "0 %d 1", outside);
	write_to(path, map);
}

/* Who is not known outside cannot enter a further namespace. */
static int enter_as_root(int flags)
{
	int user = (int)geteuid(), group = (int)getegid();
	int result = unshare(flags);

	if (result)
		return result;
	write_to("/proc/self/setgroups", "deny");
	map_id("/proc/self/uid_map", user);
	map_id("/proc/self/gid_map", group);
	return 0;
}

/* A process in namespaces of its own, whose files in /proc lead there. */
static pid_t start_inhabitant(int flags)
{
	int ready[2];
	pid_t child;
	char byte = 0;

	if (pipe(ready))
		exit(1);
	child = fork();
	if (!child) {
		byte = enter_as_root(flags) ? 'n' : 'y';
		if (write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	if (read(ready[0], &byte, 1) != 1 || byte != 'y')
		printf("no inhabitant\n");
	close(ready[0]);
	close(ready[1]);
	return child;
}

static void end_inhabitant(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void enter(pid_t inhabitant, const char *name, int type)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", inhabitant, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	said(name, fd < 0 ? fd : setns(fd, type));
	close(fd);
}

static void *wait_for_end(void *unused)
{
	pause();
	return unused;
}

int main(void)
{
	pid_t inhabitant;
	pthread_t thread;

	keep_one();
	inhabitant = start_inhabitant(CLONE_NEWUSER | CLONE_NEWNS |
				      CLONE_NEWTIME);
	enter(inhabitant, "user", 0);
	enter(inhabitant, "mnt", CLONE_NEWNS);
	enter(inhabitant, "time_for_children", CLONE_NEWTIME);
	enter(inhabitant, "mnt", CLONE_NEWUSER);
	end_inhabitant(inhabitant);
	said("unshare user", enter_as_root(CLONE_NEWUSER));
	said("unshare files", unshare(CLONE_FILES | CLONE_FS));
	said("unshare nothing there is", unshare(1));
	said("unshare user and mounts",
	     enter_as_root(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS));
	/* With a second thread of its own it is refused all the same. */
	if (pthread_create(&thread, NULL, wait_for_end, NULL))
		return 1;
	said("unshare user with two threads", unshare(CLONE_NEWUSER));
	return 0;
}
