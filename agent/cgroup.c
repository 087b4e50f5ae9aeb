/* See cgroup.h. */

#include "agent/cgroup.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

enum { TEXT_BYTES = 4096 };

#define MEMBERSHIP "/proc/self/cgroup"
#define MOUNT "/sys/fs/cgroup"

static bool read_text(const char *path, char text[TEXT_BYTES])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return false;
	got = read(fd, text, TEXT_BYTES - 1);
	close(fd);
	if (got < 0)
		return false;
	text[got] = '\0';
	return true;
}

/* The number in a file; UINT64_MAX for "max", or when there is no such file. */
static uint64_t read_limit(const char *folder, const char *path,
			   size_t path_length, const char *file)
{
	char name[PATH_MAX], text[TEXT_BYTES], *end;
	uint64_t limit;

	if (snprintf(name, sizeof(name), "%s%.*s/%s", folder, (int)path_length,
		     path, file) >= (int)sizeof(name) ||
	    !read_text(name, text))
		return UINT64_MAX;
	limit = strtoull(text, &end, 10);
	return end == text ? UINT64_MAX : limit;
}

/* Of the group at `path` and those it is in, up to the root of what is seen. */
static uint64_t least_limit(const char *folder, const char *path,
			    const char *file)
{
	size_t length = strcspn(path, "\n");
	uint64_t least = UINT64_MAX;

	for (;;) {
		uint64_t limit;

		while (length && path[length - 1] == '/')
			length--;
		limit = read_limit(folder, path, length, file);
		if (limit < least)
			least = limit;
		if (!length)
			return least;
		while (length && path[length - 1] != '/')
			length--;
	}
}

/* "4:cpu,memory:/path": whether the second part has the name. */
static bool lists(const char *controllers, const char *name)
{
	size_t length = strlen(name);

	while (*controllers && *controllers != ':') {
		size_t next = strcspn(controllers, ",:");

		if (next == length && !strncmp(controllers, name, length))
			return true;
		controllers += next + (controllers[next] == ',');
	}
	return false;
}

static uint64_t limit_of_line(const char *root, const char *line)
{
	const char *controllers = line + strcspn(line, ":\n");
	const char *path;
	char folder[PATH_MAX];
	bool first_version;

	if (*controllers != ':')
		return UINT64_MAX;
	controllers++;
	path = controllers + strcspn(controllers, ":\n");
	if (*path != ':')
		return UINT64_MAX;
	first_version = lists(controllers, "memory");
	if (!first_version && *controllers != ':')
		return UINT64_MAX;
	snprintf(folder, sizeof(folder), "%s" MOUNT "%s", root,
		 first_version ? "/memory" : "");
	return least_limit(folder, path + 1,
			   first_version ? "memory.limit_in_bytes" :
					   "memory.max");
}

uint64_t la_cgroup_memory_limit(const char *root)
{
	char path[PATH_MAX], text[TEXT_BYTES];
	uint64_t least = UINT64_MAX;

	snprintf(path, sizeof(path), "%s" MEMBERSHIP, root);
	if (!read_text(path, text))
		return UINT64_MAX;
	for (const char *line = text; *line;) {
		uint64_t limit = limit_of_line(root, line);

		if (limit < least)
			least = limit;
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return least;
}

uint64_t la_cgroup_memory(void)
{
	uint64_t limit = la_cgroup_memory_limit("");
	struct sysinfo machine;
	struct rlimit space;
	uint64_t memory;

	if (!getrlimit(RLIMIT_AS, &space) && space.rlim_cur < limit)
		limit = space.rlim_cur;
	if (sysinfo(&machine))
		return limit;
	memory = (uint64_t)machine.totalram * machine.mem_unit;
	return memory < limit ? memory : limit;
}
