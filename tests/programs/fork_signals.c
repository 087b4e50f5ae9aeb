/*
 * A large process forks again and again, and its children send it signals
 * while it does: first ones that a handler takes, which allocates and maps,
 * then SIGTERM, which kills it.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LARGE (64 << 20)
#define FORKS 100

static volatile sig_atomic_t handled;

/* The program itself is not inside malloc: it only forks. */
static void handle(int number)
{
	void *mapped = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)number;
	munmap(mapped, 8192);
	handled++;
}

int main(void)
{
	struct sigaction action = { .sa_handler = handle };
	char *large = malloc(LARGE);
	pid_t parent = getpid();
	pid_t sender;

	if (!large)
		return 1;
	memset(large, 1, LARGE);
	sigaction(SIGUSR1, &action, NULL);
	sender = fork();
	if (!sender) {
		for (;;) {
			usleep(500);
			if (kill(parent, SIGUSR1))
				_exit(0);
		}
	}
	for (int i = 0; i < FORKS; i++) {
		pid_t child = fork();

		if (!child)
			_exit(0);
		while (waitpid(child, NULL, 0) != child)
			;
	}
	kill(sender, SIGKILL);
	while (waitpid(sender, NULL, 0) != sender)
		;
	sender = fork();
	if (!sender) {
		usleep(5000);
		kill(parent, SIGTERM);
		_exit(0);
	}
	for (;;) {
		pid_t child = fork();

		if (!child)
			_exit(0);
		waitpid(child, NULL, 0);
	}
}
