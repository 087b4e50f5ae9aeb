/*
 * A constructor, or what runs even before those, does what programs do later:
 * forks, ends the process, starts a thread.
 *
 * usage: BEGINNING=fork|exit|_exit|thread|exec beginnings
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void *volatile beginnings_block;
static const char *who = "main";

__attribute__((noinline)) static void beginnings_keep(size_t bytes)
{
	beginnings_block = malloc(bytes);
	if (!beginnings_block)
		abort();
}

static void *in_thread(void *argument)
{
	for (int i = 0; i < 1000; i++)
		free(malloc(100));
	return argument;
}

static void fork_here(void)
{
	pid_t child;
	int status = 0;

	fflush(stdout);
	child = fork();
	if (!child) {
		who = "child";
		return;
	}
	waitpid(child, &status, 0);
	printf("child: %d\n", status);
}

__attribute__((constructor)) static void begin(void)
{
	const char *how = getenv("BEGINNING");
	pthread_t thread;

	how = how ? how : "";
	beginnings_keep(111);
	if (!strcmp(how, "fork"))
		fork_here();
	else if (!strcmp(how, "exit"))
		exit(7);
	else if (!strcmp(how, "_exit"))
		_exit(8);
	else if (!strcmp(how, "exec"))
		execl("/bin/echo", "echo", "another", (char *)NULL);
	else if (!strcmp(how, "thread") &&
		 !pthread_create(&thread, NULL, in_thread, NULL))
		pthread_join(thread, NULL);
}

int main(void)
{
	beginnings_keep(222);
	puts(who);
	return 0;
}
