/* Reads /proc; see process.h. */
#include "scripts/control/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIBRARY_NAME "/libleakagent.so"
#define PAGE_LINK "/memfd:" LA_CONTROL_NAME " (deleted)"

int process_open(pid_t pid, struct process *process)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld", (long)pid);
	process->pid = pid;
	process->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return process->folder < 0 ? -errno : 0;
}

void process_close(struct process *process)
{
	close(process->folder);
}

/* The start of one of its files as a string; "" when it is gone. */
static void read_start(const struct process *process, const char *name,
		       char *text, size_t room)
{
	int fd = openat(process->folder, name, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, room - 1);

	text[got < 0 ? 0 : got] = 0;
	if (fd >= 0)
		close(fd);
}

char process_state(const struct process *process)
{
	char stat[512];
	const char *name_end;

	read_start(process, "stat", stat, sizeof(stat));
	name_end = strrchr(stat, ')');
	if (!name_end || name_end[1] != ' ' || strchr("ZXx", name_end[2]))
		return 0;
	return name_end[2];
}

void process_name(const struct process *process, char *name, size_t room)
{
	size_t length;

	read_start(process, "comm", name, room);
	length = strlen(name);
	if (length && name[length - 1] == '\n')
		name[length - 1] = 0;
	if (!name[0])
		snprintf(name, room, "?");
}

static bool names_library(const char *line)
{
	const char *at = strrchr(line, '/');

	return at && strncmp(at, LIBRARY_NAME, strlen(LIBRARY_NAME)) == 0;
}

int process_carries_agent(const struct process *process)
{
	int fd = openat(process->folder, "maps", O_RDONLY | O_CLOEXEC);
	FILE *maps = fd < 0 ? NULL : fdopen(fd, "r");
	char *line = NULL;
	size_t room = 0;
	int found = 0;

	if (!maps)
		return -errno;
	errno = 0;
	while (!found && getline(&line, &room, maps) > 0)
		found = names_library(line);
	if (!found && errno)
		found = -errno;
	free(line);
	fclose(maps);
	return found;
}

/* Opens fd number `name` of a thread if that is a control page. */
static int open_if_page(int descriptors, const char *name, bool writable)
{
	/* What only looks like a page may be a FIFO, on which open waits. */
	int flags = (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK;
	char target[sizeof(PAGE_LINK)];
	ssize_t length = readlinkat(descriptors, name, target, sizeof(target));
	struct stat status;
	int fd;

	if (length != (ssize_t)strlen(PAGE_LINK) ||
	    memcmp(target, PAGE_LINK, strlen(PAGE_LINK)) != 0)
		return -ENOENT;
	fd = openat(descriptors, name, flags);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
	    status.st_size >= (off_t)sizeof(struct la_control_page))
		return fd;
	close(fd);
	return -ENOENT;
}

/* The folder `name` beneath another, for reading its entries. */
static DIR *open_folder(int beneath, const char *name)
{
	int fd = openat(beneath, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);

	if (fd >= 0 && !folder)
		close(fd);
	return folder;
}

static int find_page_of_thread(int tasks, const char *tid, bool writable)
{
	char name[NAME_MAX + sizeof("/fd")];
	DIR *descriptors;
	struct dirent *entry;
	int fd = -ENOENT;

	snprintf(name, sizeof(name), "%s/fd", tid);
	descriptors = open_folder(tasks, name);
	if (!descriptors)
		return -errno;
	while (fd == -ENOENT && (entry = readdir(descriptors)))
		if (entry->d_name[0] != '.')
			fd = open_if_page(dirfd(descriptors), entry->d_name,
					  writable);
	closedir(descriptors);
	return fd;
}

int process_open_page(const struct process *process, bool writable)
{
	DIR *tasks = open_folder(process->folder, "task");
	struct dirent *entry;
	int error = -ENOENT, fd;

	if (!tasks)
		return -errno;
	while ((entry = readdir(tasks))) {
		if (entry->d_name[0] == '.')
			continue;
		fd = find_page_of_thread(dirfd(tasks), entry->d_name, writable);
		if (fd >= 0) {
			closedir(tasks);
			return fd;
		}
		if (fd == -EACCES || fd == -EPERM)
			error = fd;
	}
	closedir(tasks);
	return error;
}

bool process_has_page(const struct process *process, int fd)
{
	int now = process_open_page(process, false);
	struct stat then_status, now_status;
	bool same;

	if (now < 0)
		return now != -ENOENT;
	same = fstat(fd, &then_status) || fstat(now, &now_status) ||
	       (then_status.st_dev == now_status.st_dev &&
		then_status.st_ino == now_status.st_ino);
	close(now);
	return same;
}

int page_copy(int fd, struct la_control_page *page)
{
	ssize_t got = pread(fd, page, sizeof(*page), 0);

	if (got < 0)
		return -errno;
	if (got != sizeof(*page) || page->magic != LA_CONTROL_MAGIC)
		return -EPROTO;
	return 0;
}
