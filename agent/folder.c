/* See folder.h. Walks the path, name by name. */

#define _GNU_SOURCE /* O_PATH */

#include "agent/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_LINKS = 40 }; /* as many as the kernel follows */

struct walk {
	int fd; /* of what has been reached */
	int links;
	char *rest; /* of the path from there, in `path` */
	char path[PATH_MAX];
};

/* It is there now. */
static void arrive(struct walk *walk, int fd)
{
	if (walk->fd >= 0)
		close(walk->fd);
	walk->fd = fd;
}

/* To a folder, by a name that is no link's. */
static int go(struct walk *walk, const char *name)
{
	int fd = openat(walk->fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	arrive(walk, fd);
	return 0;
}

/* Sets out on walk->path. */
static int begin(struct walk *walk)
{
	walk->rest = walk->path;
	if (*walk->path == '/')
		return go(walk, "/");
	return walk->fd == AT_FDCWD ? go(walk, ".") : 0;
}

/* The kernel's own rule, where it is turned on. */
static bool may_follow(const struct stat *folder, const struct stat *link)
{
	bool everybodys = folder->st_mode & S_ISVTX &&
			  folder->st_mode & S_IWOTH;

	return !everybodys || link->st_uid == geteuid() ||
	       link->st_uid == folder->st_uid;
}

/* From a link, an open one: its target comes before the rest of the path. */
static int follow(struct walk *walk, int link, const struct stat *status)
{
	char path[PATH_MAX];
	struct stat folder;
	ssize_t length;
	size_t room;

	if (fstat(walk->fd, &folder))
		return -errno;
	if (!may_follow(&folder, status) || ++walk->links > MOST_LINKS)
		return -ELOOP;
	length = readlinkat(link, "", path, sizeof(path));
	if (length < 0)
		return -errno;
	room = sizeof(path) - (size_t)length;
	if ((size_t)snprintf(path + length, room, "/%s", walk->rest) >= room)
		return -ENAMETOOLONG;
	memcpy(walk->path, path, sizeof(path));
	return begin(walk);
}

/* The next name of the path, which is then behind. */
static int step(struct walk *walk)
{
	size_t length = strcspn(walk->rest, "/");
	char name[NAME_MAX + 1];
	struct stat status;
	int link, error;

	if (length > NAME_MAX)
		return -ENAMETOOLONG;
	snprintf(name, sizeof(name), "%.*s", (int)length, walk->rest);
	walk->rest += length;
	link = openat(walk->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (link < 0)
		return -errno;
	if (fstat(link, &status) || !S_ISLNK(status.st_mode)) {
		arrive(walk, link);
		return 0;
	}
	error = follow(walk, link, &status);
	close(link);
	return error;
}

int la_folder_find(const char *path)
{
	struct walk walk = { .fd = AT_FDCWD };
	int error;

	if (strlen(path) >= sizeof(walk.path))
		return -ENAMETOOLONG;
	strcpy(walk.path, path);
	error = *path ? begin(&walk) : -ENOENT;
	while (!error) {
		walk.rest += strspn(walk.rest, "/");
		if (!*walk.rest)
			break;
		error = step(&walk);
	}
	if (!error)
		error = go(&walk, ".");
	if (!error)
		return walk.fd;
	if (walk.fd >= 0)
		close(walk.fd);
	return error;
}
