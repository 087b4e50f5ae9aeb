/*
 * A folder of snapshots (store.h) for each case, on file systems that can do
 * more or less. A test that has this is linked with
 * -Wl,--wrap=openat,--wrap=renameat2,--wrap=linkat
 */
#ifndef TESTS_STORE_FOLDER_H
#define TESTS_STORE_FOLDER_H

#include "agent/process.h"
#include "agent/store.h"

#include "tests/support/agent_check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* 2025-11-21T12:45:01.123Z, and what comes later. */
#define BASE_NS UINT64_C(1763729101123000000)
#define SECOND UINT64_C(1000000000)
#define BASE_NAME "server.x.4711.20251121T124501123Z"

/* ---- what the file system can do ---- */

static enum {
	CAN_ALL,
	NO_NAMELESS, /* no O_TMPFILE */
	NO_EXCHANGE  /* nor renameat2's flags */
} abilities;

/* Files cannot be given a name. */
static bool broken;

int __real_openat(int folder, const char *path, int flags, ...);
int __wrap_openat(int folder, const char *path, int flags, mode_t mode);
int __real_renameat2(int from, const char *old, int to, const char *new,
		     unsigned flags);
int __wrap_renameat2(int from, const char *old, int to, const char *new,
		     unsigned flags);
int __real_linkat(int from, const char *old, int to, const char *new,
		  int flags);
int __wrap_linkat(int from, const char *old, int to, const char *new,
		  int flags);

int __wrap_openat(int folder, const char *path, int flags, mode_t mode)
{
	if (abilities != CAN_ALL && (flags & O_TMPFILE) == O_TMPFILE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return __real_openat(folder, path, flags, mode);
}

int __wrap_renameat2(int from, const char *old, int to, const char *new,
		     unsigned flags)
{
	if (broken || (abilities == NO_EXCHANGE && flags)) {
		errno = broken ? EIO : EINVAL;
		return -1;
	}
	return __real_renameat2(from, old, to, new, flags);
}

int __wrap_linkat(int from, const char *old, int to, const char *new,
		  int flags)
{
	if (broken) {
		errno = EIO;
		return -1;
	}
	return __real_linkat(from, old, to, new, flags);
}

/* On one of each kind, which `run` is told the name of; how many failed. */
static inline int on_each_file_system(int (*run)(const char *name))
{
	abilities = CAN_ALL;
	int failed = run("store");

	abilities = NO_NAMELESS;
	failed += run("store without nameless files");
	abilities = NO_EXCHANGE;
	return failed + run("store without renameat2");
}

/* ---- a folder for each case ---- */

static char folder[PATH_MAX];
static struct la_options options;

static inline const char *in_folder(const char *name)
{
	static char path[2][PATH_MAX];
	static int turn;

	turn = !turn;
	snprintf(path[turn], PATH_MAX, "%.3000s/%s", folder, name);
	return path[turn];
}

static inline int enter_folder(void **state)
{
	char made[] = "/tmp/agent_store_test.XXXXXX";

	(void)state;
	if (!mkdtemp(made) || !realpath(made, folder))
		return -1;
	la_process.pid = 4711;
	strcpy(la_process.command, "server.x");
	memset(&options, 0, sizeof(options));
	snprintf(options.dir, sizeof(options.dir), "%s", folder);
	la_store_after_fork();
	la_store_choose(&options, NULL);
	return 0;
}

static inline int leave_folder(void **state)
{
	char command[PATH_MAX + 32];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static inline unsigned count_names(const char *part)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	unsigned count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.' &&
			 strstr(entry->d_name, part) != NULL;
	closedir(dir);
	return count;
}

static inline bool is_there(const char *name)
{
	struct stat status;

	return !lstat(in_folder(name), &status);
}

static inline void make_file(const char *name, const char *text)
{
	int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_EXCL, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static inline void assert_contents(const char *path, const char *text)
{
	char found[256];
	int fd = open(path, O_RDONLY);
	ssize_t size = read(fd, found, sizeof(found) - 1);

	assert_true(fd >= 0 && size >= 0);
	close(fd);
	found[size] = '\0';
	assert_string_equal(found, text);
}

#define CASE(test) \
	cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

#endif
