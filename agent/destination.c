/* See destination.h. */

#define _GNU_SOURCE /* getdents64 */

#include "agent/destination.h"

#include "agent/folder.h"
#include "agent/notice.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LIST_BYTES = 32 * 1024 };

static char path[PATH_MAX];
static int descriptor = -1;
static struct stat root; /* at boot */

/* 0, or why nothing can be written there. */
static int try_folder(const char *candidate)
{
	int fd = la_folder_find(candidate), error = 0;

	if (fd < 0)
		return fd;
	if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS))
		error = -errno;
	close(fd);
	return error;
}

/*
 * Its path from the root, since the host may change its directory, or its
 * root. False when that does not lead to the same folder: somebody has put a
 * link in between.
 */
static bool settle(const char *candidate)
{
	struct stat asked, found;
	int fd = la_folder_find(candidate), again = -1;
	bool same = fd >= 0 && realpath(candidate, path);

	if (same)
		again = la_folder_find(path);
	same = again >= 0 && !fstat(fd, &asked) && !fstat(again, &found) &&
	       asked.st_dev == found.st_dev && asked.st_ino == found.st_ino;
	if (again >= 0)
		close(again);
	if (fd >= 0)
		close(fd);
	return same;
}

void la_destination_choose(const char *wanted, const char *temporary)
{
	const char *chosen = *wanted ? wanted : ".";
	int host_errno = errno, error;

	if (stat("/", &root))
		root.st_nlink = 0;
	if (!temporary || !*temporary || try_folder(temporary))
		temporary = "/tmp";
	error = try_folder(chosen);
	if (!error && !settle(chosen))
		error = -ELOOP;
	if (error) {
		la_notice("%s: %s: snapshots go to %s; set LEAKAGENT_DIR to "
			  "choose a folder",
			  *wanted ? wanted : "the working directory",
			  error == -ELOOP ? "leads through another user's link" :
					    "cannot be written to",
			  temporary);
		if (!settle(temporary))
			snprintf(path, sizeof(path), "%s", temporary);
	}
	errno = host_errno;
}

bool la_destination_moved(void)
{
	struct stat now;

	return root.st_nlink && !stat("/", &now) &&
	       (now.st_dev != root.st_dev || now.st_ino != root.st_ino);
}

const char *la_destination_path(void)
{
	return path;
}

int la_destination_fd(void)
{
	return descriptor;
}

/*
 * Whether a folder that now has the name takes the place of the one before: it
 * must be of the same owner, or this process's. Anybody may plant one in /tmp.
 */
static bool takes_over(const struct stat *now, const struct stat *before)
{
	bool same = now->st_dev == before->st_dev &&
		    now->st_ino == before->st_ino;

	return !same &&
	       (now->st_uid == before->st_uid || now->st_uid == geteuid());
}

/* What has the name now, or -errno. */
static int open_named(void)
{
	int found = la_folder_find(path), fd, error;

	if (found < 0)
		return found;
	fd = openat(found, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	error = -errno;
	close(found);
	return fd < 0 ? error : fd;
}

/*
 * A folder that is open stays in use until another one can be opened by its
 * name: the host may have given up the right to reach it by its path.
 */
int la_destination_open(bool *opened)
{
	struct stat before, now;
	bool had = descriptor >= 0 && !fstat(descriptor, &before);
	int fd = open_named();

	*opened = false;
	/* One that was removed has no names left. */
	if (fd < 0)
		return had && before.st_nlink ? descriptor : fd;
	if (had && (fstat(fd, &now) || !takes_over(&now, &before))) {
		close(fd);
		return descriptor;
	}
	if (descriptor >= 0)
		close(descriptor);
	descriptor = fd;
	*opened = true;
	return fd;
}

/*
 * Not opendir, which allocates: a host thread that waits for this one may have
 * been interrupted in its allocator.
 */
void la_destination_list(void (*visit)(const char *name, void *argument),
		    void *argument)
{
	_Alignas(struct dirent64) char entries[LIST_BYTES];
	int fd = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ssize_t filled;

	while (fd >= 0 &&
	       (filled = getdents64(fd, entries, sizeof(entries))) > 0)
		for (ssize_t at = 0; at < filled;) {
			struct dirent64 *entry = (void *)(entries + at);

			visit(entry->d_name, argument);
			at += entry->d_reclen;
		}
	if (fd >= 0)
		close(fd);
}

void la_destination_after_fork(void)
{
	descriptor = -1;
}
