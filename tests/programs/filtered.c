/* All threads get a system call filter that ends one that opens a file. */
#define _GNU_SOURCE
#include "tests/programs/forbidding.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	struct sock_filter steps[] = FORBIDDING(SYS_openat, SECCOMP_RET_KILL_THREAD);
	struct sock_fprog program = { sizeof(steps) / sizeof(steps[0]), steps };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		    SECCOMP_FILTER_FLAG_TSYNC, &program)) {
		perror("seccomp");
		return 1;
	}
	puts("filtered");
	return 0;
}
