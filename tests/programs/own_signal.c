/*
 * A host that has its own use for SIGUSR2, by a handler, sigwait or signalfd: it
 * must work as ever.
 *
 * usage: own_signal signal|sigaction|block-and-wait|signalfd|for-a-while
 * Says how often it has got three signals, what sigaction tells of its handler,
 * and ends when its input does.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static volatile sig_atomic_t handled;

static void handle(int number)
{
	handled += number == SIGUSR2;
}

static sigset_t block(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return set;
}

static void wait_for_three(void)
{
	sigset_t set = block();
	int number;

	for (int i = 0; i < 3; i++) {
		kill(getpid(), SIGUSR2);
		if (!sigwait(&set, &number) && number == SIGUSR2)
			handled++;
	}
}

static void read_three(void)
{
	sigset_t set = block();
	int descriptor = signalfd(-1, &set, SFD_CLOEXEC);
	struct signalfd_siginfo info;

	for (int i = 0; i < 3; i++) {
		kill(getpid(), SIGUSR2);
		if (read(descriptor, &info, sizeof(info)) == sizeof(info) &&
		    info.ssi_signo == SIGUSR2)
			handled++;
	}
	close(descriptor);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	struct sigaction action = { .sa_handler = handle };
	struct sigaction old;
	char byte;

	if (!strcmp(how, "signal") || !strcmp(how, "for-a-while"))
		printf("before: %s\n",
		       signal(SIGUSR2, handle) == SIG_DFL ? "default" : "set");
	else if (!strcmp(how, "sigaction"))
		printf("before: %s\n", sigaction(SIGUSR2, &action, &old) ||
					       old.sa_handler != SIG_DFL ?
				       "set" : "default");
	if (!strcmp(how, "block-and-wait"))
		wait_for_three();
	else if (!strcmp(how, "signalfd"))
		read_three();
	else
		for (int i = 0; i < 3; i++)
			raise(SIGUSR2);
	if (!strcmp(how, "for-a-while")) {
		signal(SIGUSR2, SIG_DFL);
		puts("and no longer");
	}
	sigaction(SIGUSR2, NULL, &old);
	printf("handled %d, handler %s\n", (int)handled,
	       old.sa_handler == handle  ? "ours" :
	       old.sa_handler == SIG_DFL ? "default" :
					   "another's");
	fflush(stdout);
	while (read(0, &byte, 1) == 1)
		;
	return 0;
}
