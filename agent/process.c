/* See process.h. */

#define _GNU_SOURCE

#include "agent/process.h"

#include "agent/modules.h"
#include "agent/quiet.h"
#include "agent/system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum { STATUS_BYTES = 8192 };

struct la_process la_process;

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) +
	       (uint64_t)now.tv_nsec;
}

uint64_t la_clock_utc(void)
{
	return clock_ns(CLOCK_REALTIME);
}

uint64_t la_clock_monotonic(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/*
 * Not gmtime_r: that takes a lock of libc's, which a child that is forked just
 * then would find taken for ever. Days to a date as in Howard Hinnant,
 * "chrono-Compatible Low-Level Date Algorithms" (civil_from_days).
 */
void la_time_text(uint64_t utc_ns, char text[LA_TIME_BYTES])
{
	uint64_t seconds = utc_ns / 1000000000;
	unsigned second = (unsigned)(seconds % 86400);
	unsigned days = (unsigned)(seconds / 86400) + 719468;
	unsigned era = days / 146097, day_of_era = days % 146097;
	unsigned year_of_era = (day_of_era - day_of_era / 1460 +
				day_of_era / 36524 - day_of_era / 146096) /
			       365;
	unsigned day_of_year = day_of_era - (365 * year_of_era +
					     year_of_era / 4 -
					     year_of_era / 100);
	unsigned shifted_month = (5 * day_of_year + 2) / 153; /* from March */
	unsigned day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
	unsigned month = shifted_month < 10 ? shifted_month + 3 :
					      shifted_month - 9;
	unsigned year = year_of_era + era * 400 + (month <= 2);

	snprintf(text, LA_TIME_BYTES, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
		 year % 10000, month % 100, day % 100, second / 3600,
		 second / 60 % 60, second % 60,
		 (unsigned)(utc_ns / 1000000 % 1000));
}

static void start_now(void)
{
	la_process.pid = la_sys_getpid();
	la_process.ppid = (int)la_arch_syscall(SYS_getppid, 0, 0, 0, 0, 0, 0);
	la_process.start_ns = la_clock_utc();
	la_process.start_monotonic_ns = la_clock_monotonic();
}

static void read_command(void)
{
	const char *path = la_modules_executable();
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

	snprintf(la_process.command, sizeof(la_process.command), "%.*s",
		 LA_COMMAND_BYTES - 1, *name ? name : "unknown");
	/* A replaced executable reads "name (deleted)". */
	char *deleted = strstr(la_process.command, " (deleted)");

	if (deleted)
		*deleted = '\0';
}

void la_process_boot(void)
{
	struct utsname names;
	int host_errno = errno;

	start_now();
	read_command();
	if (!uname(&names))
		snprintf(la_process.host, sizeof(la_process.host), "%s",
			 names.nodename);
	errno = host_errno;
}

void la_process_after_fork(void)
{
	start_now();
	la_process.forked = true;
}

bool la_process_is_another(void)
{
	return !la_quiet_now() && la_sys_getpid() != la_process.pid;
}

/* Reads a small file of /proc whole. */
static size_t read_file(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t got;

	text[0] = '\0';
	if (fd < 0)
		return 0;
	while (used < room - 1 &&
	       (got = read(fd, text + used, room - 1 - used)) > 0)
		used += (size_t)got;
	close(fd);
	text[used] = '\0';
	return used;
}

bool la_process_has_tracked_parent(void)
{
	char path[64], text[16384 + 1];
	int host_errno = errno, fd;
	bool found = false;
	ssize_t got;
	size_t kept = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", la_process.ppid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && !found &&
	       (got = read(fd, text + kept, sizeof(text) - 1 - kept)) > 0) {
		text[kept + (size_t)got] = '\0';
		found = strstr(text, "libleakagent.so") != NULL;
		/* The name may lie across two reads. */
		kept = kept + (size_t)got > 32 ? 32 : kept + (size_t)got;
		memmove(text, text + strlen(text) - kept, kept);
	}
	if (fd >= 0)
		close(fd);
	errno = host_errno;
	return found;
}

static int64_t kilobytes(const char *status, const char *key)
{
	const char *line = strstr(status, key);

	return line ? strtoll(line + strlen(key), NULL, 10) * 1024 : -1;
}

struct la_resident la_process_resident(void)
{
	char status[STATUS_BYTES];

	read_file("/proc/self/status", status, sizeof(status));
	return (struct la_resident){
		.all = kilobytes(status, "\nVmRSS:"),
		.anonymous = kilobytes(status, "\nRssAnon:"),
		.file = kilobytes(status, "\nRssFile:"),
		.shared = kilobytes(status, "\nRssShmem:"),
		.swapped = kilobytes(status, "\nVmSwap:"),
	};
}

static bool thread_blocks(int thread, int signal)
{
	char path[64], status[STATUS_BYTES];
	const char *blocked;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", thread);
	read_file(path, status, sizeof(status));
	blocked = strstr(status, "\nSigBlk:");
	return !blocked ||
	       (strtoull(blocked + 8, NULL, 16) >> (signal - 1) & 1);
}

bool la_process_blocks(int signal)
{
	_Alignas(struct dirent64) char entries[4096];
	int fd = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool all = fd >= 0;
	ssize_t filled;

	while (all && (filled = getdents64(fd, entries, sizeof(entries))) > 0)
		for (ssize_t at = 0; all && at < filled;) {
			struct dirent64 *entry = (void *)(entries + at);
			int thread = atoi(entry->d_name);

			all = !thread || thread == la_sys_gettid() ||
			      thread_blocks(thread, signal);
			at += entry->d_reclen;
		}
	if (fd >= 0)
		close(fd);
	return all;
}
