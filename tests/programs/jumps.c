/*
 * A timer's handler leaves by siglongjmp, wherever the program happens to be:
 * jumps map in mmap and munmap, which another thread calls, too; jumps snapshot
 * in leakagent_snapshot, whose stack is used for something else afterwards.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

enum { JUMPS_IN_MAP = 500, JUMPS_IN_SNAPSHOT = 40, PATTERN = 0x55 };

int leakagent_snapshot(const char *reason) __attribute__((weak));

static sigjmp_buf back;
static volatile sig_atomic_t may_jump, done;

static void jump(int number)
{
	(void)number;
	if (may_jump) {
		may_jump = 0;
		siglongjmp(back, 1);
	}
}

static void jump_soon(int microseconds)
{
	struct itimerval timer = { .it_value = { 0, microseconds } };

	may_jump = 1;
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void map_and_unmap(void)
{
	void *block = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(block, 4096);
}

static void *work(void *unused)
{
	while (!done)
		map_and_unmap();
	return unused;
}

static void jump_out_of_mmap(void)
{
	sigset_t alarms;
	pthread_t thread;

	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarms, NULL);
	pthread_create(&thread, NULL, work, NULL);
	pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
	for (volatile int i = 0; i < JUMPS_IN_MAP; i++)
		if (!sigsetjmp(back, 1)) {
			jump_soon(50 + i * 37 % 400);
			for (;;)
				map_and_unmap();
		}
	done = 1;
	pthread_join(thread, NULL);
}

__attribute__((noinline)) static int changed_bytes(void)
{
	volatile unsigned char bytes[16384];
	int changed = 0;

	memset((void *)bytes, PATTERN, sizeof(bytes));
	usleep(30000);
	for (size_t i = 0; i < sizeof(bytes); i++)
		changed += bytes[i] != PATTERN;
	return changed;
}

static void jump_out_of_snapshots(void)
{
	for (int i = 0; i < 100000; i++) {
		void *volatile block = malloc(20);

		(void)block;
	}
	for (volatile int i = 0; i < JUMPS_IN_SNAPSHOT; i++) {
		if (!sigsetjmp(back, 1)) {
			jump_soon(100 + i * 50);
			if (leakagent_snapshot)
				leakagent_snapshot("jump");
			while (may_jump)
				pause();
		}
		int changed = changed_bytes();

		if (changed)
			printf("%d bytes of the stack were changed\n", changed);
	}
}

int main(int count, char **arguments)
{
	if (count != 2)
		return 2;
	signal(SIGALRM, jump);
	if (!strcmp(arguments[1], "map"))
		jump_out_of_mmap();
	else
		jump_out_of_snapshots();
	puts("done");
	return 0;
}
