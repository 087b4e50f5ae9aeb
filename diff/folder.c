/*
 * Lists folders; whether a file is a snapshot shows when it is loaded.
 */
#include "diff/folder.h"

#include "agent/format/keys.h"
#include "diff/memory.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void add_file(struct file_list *list, char *path, bool listed)
{
	list->files = memory_extend(list->files, list->count, &list->capacity,
				    sizeof(*list->files));
	list->files[list->count++] = (struct listed_file){path, listed};
}

/* Dot files are nobody's snapshots: the agent's names start with a command. */
static int is_snapshot(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);
	size_t suffix = strlen(LA_SNAPSHOT_SUFFIX);

	return entry->d_name[0] != '.' && length > suffix &&
	       !strcmp(entry->d_name + length - suffix, LA_SNAPSHOT_SUFFIX);
}

static char *join(const char *folder, const char *name)
{
	size_t length = strlen(folder);
	const char *slash = length && folder[length - 1] == '/' ? "" : "/";
	size_t size = length + strlen(name) + 2;
	char *path = memory_resize(NULL, size, 1);

	snprintf(path, size, "%s%s%s", folder, slash, name);
	return path;
}

/* A pipe would be waited for. What has vanished shows when it is read. */
static bool may_be_read(const char *path)
{
	struct stat status;

	return stat(path, &status) || S_ISREG(status.st_mode);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_folder(struct file_list *list, const char *folder,
		      struct error *error)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, is_snapshot, by_name);
	size_t before = list->count;

	if (count < 0)
		return error_set(error, "%s: cannot list it: %s", folder,
				 strerror(errno));
	for (int i = 0; i < count; i++) {
		char *path = join(folder, entries[i]->d_name);

		if (may_be_read(path))
			add_file(list, path, true);
		else
			free(path);
		free(entries[i]);
	}
	free(entries);
	if (list->count == before)
		return error_set(error, "%s: no snapshots (*%s) in this folder",
				 folder, LA_SNAPSHOT_SUFFIX);
	return 0;
}

int file_list_build(struct file_list *list, char *const *arguments,
		    size_t count, struct error *error)
{
	struct stat status;

	memset(list, 0, sizeof(*list));
	for (size_t i = 0; i < count; i++) {
		/* What cannot be looked at fails with its reason when read. */
		if (stat(arguments[i], &status) || !S_ISDIR(status.st_mode)) {
			add_file(list, memory_copy_text(arguments[i]), false);
			continue;
		}
		list->has_folder = true;
		if (add_folder(list, arguments[i], error))
			return -1;
	}
	return 0;
}

void file_list_free(struct file_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->files[i].path);
	free(list->files);
	memset(list, 0, sizeof(*list));
}
