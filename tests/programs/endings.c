/*
 * Allocates 12,345 bytes and ends in one of the ways there are.
 *
 * usage: endings return|exit|_exit|SIGNAL-NUMBER
 *        endings daemon                        goes on without its parent
 *        endings in-thread PROGRAM [ARG...]    as execv, in another thread
 *        endings execv PROGRAM [ARGUMENT...]   becomes that program, or says
 *                                              why not and returns; so with
 *                                              every other function of exec,
 *                                              of which execl, execlp and
 *                                              execle pass one argument
 *        endings spawn|vfork|system|popen PROGRAM [ARG...]
 *                                              runs it as a child; the shell
 *                                              gets no arguments
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
void *endings_block;

__attribute__((noinline)) static void endings_alloc_more(void)
{
	endings_block = malloc(54321);
	if (!endings_block)
		abort();
}

__attribute__((noinline)) static void endings_alloc(void)
{
	endings_block = malloc(12345);
	if (!endings_block)
		abort();
}

static int child_status(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static int run_child(const char *how, char **arguments)
{
	pid_t child;

	if (!strcmp(how, "spawn")) {
		if (posix_spawn(&child, arguments[0], NULL, NULL, arguments,
				environ))
			return -1;
		return child_status(child);
	}
	if (!strcmp(how, "system"))
		return WEXITSTATUS(system(arguments[0]));
	if (!strcmp(how, "popen")) {
		FILE *output = popen(arguments[0], "r");

		return output ? WEXITSTATUS(pclose(output)) : -1;
	}
	child = vfork();
	if (!child) {
		execv(arguments[0], arguments);
		_exit(127);
	}
	return child_status(child);
}

static void become(const char *how, char **arguments)
{
	const char *path = arguments[0], *one = arguments[1];

	if (!strcmp(how, "execv"))
		execv(path, arguments);
	else if (!strcmp(how, "execve"))
		execve(path, arguments, environ);
	else if (!strcmp(how, "execvp"))
		execvp(path, arguments);
	else if (!strcmp(how, "execvpe"))
		execvpe(path, arguments, environ);
	else if (!strcmp(how, "execl"))
		execl(path, path, one, (char *)NULL);
	else if (!strcmp(how, "execlp"))
		execlp(path, path, one, (char *)NULL);
	else if (!strcmp(how, "execle"))
		execle(path, path, one, (char *)NULL, environ);
	else if (!strcmp(how, "fexecve"))
		fexecve(open(path, O_RDONLY | O_CLOEXEC), arguments, environ);
	else if (!strcmp(how, "execveat"))
		execveat(AT_FDCWD, path, arguments, environ, 0);
	perror(path);
}

static void *become_in_thread(void *arguments)
{
	become("execv", arguments);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	const char *how = argc > 1 ? argv[1] : "";

	endings_alloc();
	if (!strcmp(how, "exit")) {
		exit(3);
	} else if (!strcmp(how, "_exit")) {
		_exit(4);
	} else if (!strcmp(how, "daemon")) {
		if (daemon(1, 1))
			return 7;
		endings_alloc_more();
		puts("a daemon");
	} else if (!strcmp(how, "in-thread")) {
		pthread_create(&thread, NULL, become_in_thread, argv + 2);
		pthread_join(thread, NULL);
		return 8;
	} else if (argc > 2 && strstr(how, "exec")) {
		become(how, argv + 2);
		/* It could not: all goes on as before. */
		endings_alloc_more();
		return 5;
	} else if (argc > 2) {
		printf("child's status %d\n", run_child(how, argv + 2));
	} else if (atoi(how)) {
		raise(atoi(how));
		return 6;
	}
	return 2;
}
