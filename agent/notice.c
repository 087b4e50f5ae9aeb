/* See notice.h. */

#include "agent/notice.h"

#include "agent/format/plain_text.h"
#include "agent/system.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BEGIN "leakagent: "

enum { LINE_BYTES = 1024 };

static struct stat original; /* standard error at boot; of no type: none */

void la_notice_boot(void)
{
	int host_errno = errno;

	if (fstat(STDERR_FILENO, &original))
		original.st_mode = 0;
	errno = host_errno;
}

static bool is_original(int fd)
{
	struct stat now;

	return original.st_mode && !fstat(fd, &now) &&
	       now.st_dev == original.st_dev && now.st_ino == original.st_ino;
}

struct line {
	size_t size;
	char text[sizeof(BEGIN) + LINE_BYTES + 1];
};

static void compose(struct line *line, const char *format, va_list arguments)
{
	char text[LINE_BYTES] = "";

	vsnprintf(text, sizeof(text), format, arguments);
	line->size = sizeof(BEGIN) - 1;
	memcpy(line->text, BEGIN, line->size);
	line->size += la_plain_copy(line->text + line->size, LINE_BYTES, text,
				    strlen(text));
	line->text[line->size++] = '\n';
}

static la_signal_set set_of(int number)
{
	return (la_signal_set)1 << (number - 1);
}

/*
 * A pipe without a reader, and a file at its largest, are answered by a signal
 * that ends the host: it is blocked, and taken back.
 */
static void write_calmly(int fd, const struct line *line)
{
	const la_signal_set deadly = set_of(SIGPIPE) | set_of(SIGXFSZ);
	const struct timespec at_once = { 0 };
	la_signal_set mask, pending = 0, raised = 0;

	if (la_sys_failed(la_sys_sigprocmask(SIG_BLOCK, &deadly, &mask)))
		return;
	la_arch_syscall(SYS_rt_sigpending, (long)&pending, sizeof(pending), 0,
			0, 0, 0);
	if (la_sys_failed(la_sys_write(fd, line->text, line->size)))
		raised = deadly & ~pending;
	if (raised)
		la_arch_syscall(SYS_rt_sigtimedwait, (long)&raised, 0,
				(long)&at_once, sizeof(raised), 0, 0);
	la_sys_sigprocmask(SIG_SETMASK, &mask, NULL);
}

void la_notice(const char *format, ...)
{
	int host_errno = errno;
	struct line line;
	va_list arguments;

	va_start(arguments, format);
	compose(&line, format, arguments);
	va_end(arguments);
	write_calmly(STDERR_FILENO, &line);
	errno = host_errno;
}

/*
 * A descriptor of this thread's for the host's standard error, or -errno. A
 * filter that this thread was started under may end the program for such a call:
 * it is one of debuggers, which those for services and containers leave out.
 */
static int borrow(void)
{
	long fd, process;

	if (prctl(PR_GET_SECCOMP) > 0)
		return -EPERM;
	process = la_arch_syscall(SYS_pidfd_open, la_sys_getpid(), 0, 0, 0, 0,
				  0);
	if (la_sys_failed(process))
		return (int)process;
	fd = la_arch_syscall(SYS_pidfd_getfd, process, STDERR_FILENO, 0, 0, 0,
			     0);
	close((int)process);
	return (int)fd;
}

bool la_notice_late(const char *format, ...)
{
	int fd = borrow();
	struct pollfd ready = { .fd = fd, .events = POLLOUT };
	struct line line;
	va_list arguments;
	bool said;

	if (fd < 0)
		return false;
	va_start(arguments, format);
	compose(&line, format, arguments);
	va_end(arguments);
	said = is_original(fd) && poll(&ready, 1, 0) == 1 &&
	       (ready.revents & POLLOUT) &&
	       !la_sys_failed(la_sys_write(fd, line.text, line.size));
	close(fd);
	return said;
}
