/*
 * A temporary beside the target, renamed when all is written.
 */
#include "diff/output.h"

#include "diff/memory.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY_SUFFIX ".XXXXXX"

/*
 * What a newly created file would get: mkstemp makes it private. What is
 * replaced is followed in that when it is ours.
 */
static mode_t usual_mode(const char *path)
{
	struct stat status;
	mode_t mask;

	if (!stat(path, &status) && status.st_uid == geteuid())
		return status.st_mode & 0777;
	mask = umask(0);
	umask(mask);
	return 0666 & ~mask;
}

/* Devices and pipes are written to; only files can be replaced. */
static int is_special(const char *path)
{
	struct stat status;

	return !stat(path, &status) && !S_ISREG(status.st_mode);
}

/*
 * Whether a link or pipe at this path was put there by another user, in a
 * folder like /tmp, for somebody to write to.
 */
static int is_planted(const char *path)
{
	char *copy = memory_copy_text(path);
	struct stat status, folder;
	int planted;

	planted = !lstat(path, &status) && !S_ISREG(status.st_mode) &&
		  status.st_uid != geteuid() &&
		  !stat(dirname(copy), &folder) &&
		  folder.st_mode & S_ISVTX && folder.st_mode & S_IWOTH &&
		  folder.st_uid != status.st_uid;
	free(copy);
	return planted;
}

static void forget(struct output *output)
{
	free(output->target);
	free(output->temporary);
	output->target = NULL;
	output->temporary = NULL;
}

static int open_temporary(struct output *output, struct error *error)
{
	struct stat status;
	size_t size;
	int fd;

	/* A link stays one, and what it leads to is replaced. */
	if (!lstat(output->path, &status) && S_ISLNK(status.st_mode))
		output->target = realpath(output->path, NULL);
	if (!output->target)
		output->target = memory_copy_text(output->path);
	size = strlen(output->target) + sizeof(TEMPORARY_SUFFIX);
	output->temporary = memory_resize(NULL, size, 1);
	snprintf(output->temporary, size, "%s%s", output->target,
		 TEMPORARY_SUFFIX);
	fd = mkstemp(output->temporary);
	if (fd < 0) {
		error_set(error, "%s: cannot write it: %s", output->path,
			  strerror(errno));
		forget(output);
		return -1;
	}
	fchmod(fd, usual_mode(output->target));
	output->stream = fdopen(fd, "w");
	if (!output->stream)
		memory_exhausted();
	return 0;
}

int output_open(struct output *output, const char *path, struct error *error)
{
	memset(output, 0, sizeof(*output));
	output->path = path;
	if (!path) {
		output->stream = stdout;
		return 0;
	}
	if (is_planted(path))
		return error_set(error,
				 "%s: another user has put it there: name "
				 "another file", path);
	if (is_special(path)) {
		output->stream = fopen(path, "we");
		return output->stream ? 0 :
					error_set(error,
						  "%s: cannot write it: %s",
						  path, strerror(errno));
	}
	return open_temporary(output, error);
}

int output_close(struct output *output, struct error *error)
{
	int failed = ferror(output->stream);
	int reason = errno;

	/* Closing flushes, and may be where a full disk shows. */
	if (fclose(output->stream)) {
		failed = 1;
		reason = errno;
	}
	if (!failed && output->temporary &&
	    rename(output->temporary, output->target)) {
		failed = 1;
		reason = errno;
	}
	if (failed && output->temporary)
		unlink(output->temporary);
	forget(output);
	if (!failed)
		return 0;
	if (reason == EPIPE)
		return error_set(error, "%s", "");
	return error_set(error, "%s: cannot write all of it: %s",
			 output->path ? output->path : "standard output",
			 strerror(reason));
}
