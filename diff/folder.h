/*
 * The files that the command line means: files as they are, and of a folder
 * the snapshots directly in it.
 */
#ifndef DIFF_FOLDER_H
#define DIFF_FOLDER_H

#include "diff/error.h"

#include <stdbool.h>
#include <stddef.h>

struct file_list {
	struct listed_file {
		char *path;
		bool listed; /* found in a folder: may be gone by now */
	} *files;
	size_t count, capacity;
	bool has_folder;
};

/* 0 or -1; file_list_free releases the list in both cases. */
int file_list_build(struct file_list *list, char *const *arguments,
		    size_t count, struct error *error);

void file_list_free(struct file_list *list);

#endif
