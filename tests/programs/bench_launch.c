/* build: -O2 */
/*
 * Runs a command some times and tells what each run cost. It is small itself,
 * because the kernel counts the memory of who forks as a child's peak.
 *
 * usage: bench_launch [-c CORE[,CORE]...] [-n TIMES] [-e NAME=VALUE]...
 *                     COMMAND [ARGUMENT]...
 *
 * -e sets the command's environment and not its own: a preloaded library is in
 * the command alone. The last lines of its output, one for each run:
 *
 *   run cpu_us=N wall_us=N peak_kib=N
 *
 * CPU is user and system time of the command and of the children it waited
 * for. Signals TERM and INT are passed on. Ends with the status of the first
 * run that failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_SETTINGS 32

static volatile pid_t child;

static void pass_on(int number)
{
	if (child > 0)
		kill(child, number);
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t microseconds(struct timeval time)
{
	return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

static void pin(char *list)
{
	cpu_set_t cores;

	CPU_ZERO(&cores);
	for (char *word = strtok(list, ","); word; word = strtok(NULL, ","))
		CPU_SET((unsigned)atoi(word), &cores);
	if (sched_setaffinity(0, sizeof(cores), &cores)) {
		perror("bench_launch: sched_setaffinity");
		exit(125);
	}
}

static void become(char **command, char **settings)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (; *settings; settings++)
		putenv(*settings);
	execvp(*command, command);
	perror(*command);
	_exit(127);
}

static int run_once(char **command, char **settings)
{
	uint64_t start = now_us();
	struct rusage usage;
	int status;

	child = fork();
	if (child < 0) {
		perror("bench_launch: fork");
		return 125;
	}
	if (!child)
		become(command, settings);
	while (wait4(child, &status, 0, &usage) < 0)
		if (errno != EINTR)
			return 125;
	child = 0;
	fflush(stdout);
	printf("run cpu_us=%llu wall_us=%llu peak_kib=%ld\n",
	       (unsigned long long)(microseconds(usage.ru_utime) +
				    microseconds(usage.ru_stime)),
	       (unsigned long long)(now_us() - start), usage.ru_maxrss);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	static char *settings[MAX_SETTINGS + 1];
	int option, count = 0, times = 1, status = 0;

	while ((option = getopt(argc, argv, "+c:n:e:")) != -1) {
		if (option == 'c')
			pin(optarg);
		else if (option == 'n')
			times = atoi(optarg);
		else if (option == 'e' && count < MAX_SETTINGS)
			settings[count++] = optarg;
		else
			return 2;
	}
	if (optind == argc) {
		fputs("bench_launch: no command\n", stderr);
		return 2;
	}
	signal(SIGTERM, pass_on);
	signal(SIGINT, pass_on);
	while (times-- && !status)
		status = run_once(argv + optind, settings);
	return status;
}
