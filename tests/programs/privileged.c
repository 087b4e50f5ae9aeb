/*
 * Says what can be seen of an agent from inside the process it is in: threads,
 * descriptors, what is done about signals, mappings that nobody knows. After it
 * has allocated, forked, waited and asked for a snapshot.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCKS = 1000 };

int leakagent_snapshot(const char *reason) __attribute__((weak));

static void *allocate(void *unused)
{
	for (int i = 0; i < BLOCKS; i++)
		if (!malloc(100))
			abort();
	return unused;
}

static int entries_of(const char *path)
{
	DIR *folder = opendir(path);
	int count = 0;

	while (folder && readdir(folder))
		count++;
	if (folder)
		closedir(folder);
	return count;
}

/* Those of the process' state that an agent would change. */
static void say_status(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];

	while (status && fgets(line, sizeof(line), status))
		if (!strncmp(line, "Threads", 7) || !strncmp(line, "Sig", 3))
			fputs(line, stdout);
	if (status)
		fclose(status);
}

static void say(const char *who)
{
	struct sigaction action;

	sigaction(SIGUSR2, NULL, &action);
	printf("%s: secure %lu, USR2 %s, threads %d, descriptors %d\n", who,
	       getauxval(AT_SECURE),
	       action.sa_handler == SIG_DFL ? "default" : "handled",
	       entries_of("/proc/self/task") - 2,
	       entries_of("/proc/self/fd") - 3);
	say_status();
	fflush(stdout);
}

int main(void)
{
	pthread_t thread;

	allocate(NULL);
	if (pthread_create(&thread, NULL, allocate, NULL))
		return 1;
	pthread_join(thread, NULL);
	usleep(50 * 1000);
	if (leakagent_snapshot)
		leakagent_snapshot("x");
	say("parent");
	if (!fork()) {
		allocate(NULL);
		say("child");
		_exit(0);
	}
	wait(NULL);
	return 7;
}
