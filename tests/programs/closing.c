/*
 * Closes all descriptors again and again, as daemons do at their start and
 * programs do before they execute others, while another thread has snapshots
 * taken; and opens some of every kind, which must get the numbers that they
 * always get, and into which nobody else must reach.
 *
 * usage: closing ROUNDS, or more, until there were some snapshots
 * In the second half of the rounds stdin, stdout and stderr are closed, too: the
 * exit status tells the rest.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES = 12, BYTES = 5000, PIPES = 4, BLOCKS = 200, SNAPSHOTS = 20 };

int leakagent_snapshot(const char *reason) __attribute__((weak));

static atomic_bool done;
static atomic_int taken;
static char pattern[BYTES];
void *volatile closing_blocks[BLOCKS];

static void *take_snapshots(void *unused)
{
	while (!done) {
		if (leakagent_snapshot)
			leakagent_snapshot("closing");
		taken++;
		usleep(200);
	}
	return unused;
}

static void allocate(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		free(closing_blocks[i]);
		closing_blocks[i] = malloc(100 + (size_t)i * 10);
	}
}

/* Whether the next descriptors have the numbers from `first` on. */
static bool open_all(int first)
{
	int next = first, ends[2];
	bool right = true;

	for (int i = 0; i < FILES; i++) {
		int fd = memfd_create("closing", 0);

		right = right && fd == next++ &&
			write(fd, pattern, BYTES) == BYTES &&
			lseek(fd, 100, SEEK_SET) == 100;
	}
	for (int i = 0; i < PIPES; i++) {
		int result = i % 2 ? pipe(ends) :
				     socketpair(AF_UNIX, SOCK_STREAM, 0, ends);

		right = right && !result && ends[0] == next &&
			ends[1] == next + 1;
		next += 2;
	}
	return right;
}

static bool is_untouched(int fd)
{
	char text[BYTES];
	struct stat status;

	return lseek(fd, 0, SEEK_CUR) == 100 && !fstat(fd, &status) &&
	       status.st_size == BYTES && !fcntl(fd, F_GETFD) &&
	       pread(fd, text, BYTES, 0) == BYTES &&
	       !memcmp(text, pattern, BYTES);
}

static bool all_untouched(int first)
{
	int fd = first;

	for (; fd < first + FILES; fd++)
		if (!is_untouched(fd))
			return false;
	for (; fd < first + FILES + 2 * PIPES; fd++) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };

		/* Neither bytes nor an end, nor closed. */
		if (poll(&ready, 1, 0) && (ready.revents & ~POLLERR))
			return false;
	}
	return true;
}

/* The n-th thing that went wrong in this round, or 0. */
static int round_from(int first)
{
	closefrom(first);
	if (!open_all(first))
		return 1;
	allocate();
	usleep(50);
	if (!all_untouched(first))
		return 2;
	return 0;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 1, wrong = 0;
	pthread_t thread;

	memset(pattern, 'c', BYTES);
	if (pthread_create(&thread, NULL, take_snapshots, NULL))
		return 10;
	printf("first: %d\n", open("/dev/null", O_RDONLY | O_CLOEXEC));
	for (int i = 0; (i < rounds || taken < SNAPSHOTS) && !wrong; i++) {
		if (i == rounds / 2) {
			puts("stdout closes");
			fflush(stdout);
		}
		wrong = round_from(i < rounds / 2 ? 3 : 0);
	}
	done = true;
	pthread_join(thread, NULL);
	return wrong;
}
