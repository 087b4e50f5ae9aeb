/*
 * Executes a program under a filter that refuses some system calls, as
 * containers with an old one do with those that it does not know.
 *
 * usage: refused NUMBER[,NUMBER...] PROGRAM [ARGUMENT...]
 */
#include "tests/programs/forbidding.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static int refuse(unsigned number)
{
	struct sock_filter steps[] =
		FORBIDDING(number, SECCOMP_RET_ERRNO | EPERM);
	struct sock_fprog program = { sizeof(steps) / sizeof(steps[0]), steps };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char **argv)
{
	char *at = argc > 2 ? argv[1] : "";

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return 1;
	while (*at) {
		if (refuse((unsigned)strtoul(at, &at, 10)))
			return 1;
		at += *at == ',';
	}
	if (argc > 2)
		execv(argv[2], argv + 2);
	perror("refused");
	return 1;
}
