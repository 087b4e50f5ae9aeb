/*
 * See store.h. A file has no name until it is whole (O_TMPFILE, then linkat,
 * which never replaces anything). Where the file system cannot do that, it has
 * a temporary name and is locked while it is written: an unlocked temporary is
 * that of a dead writer, in whatever pid namespace it lived.
 */

#define _GNU_SOURCE /* O_TMPFILE, renameat2 */

#include "agent/store.h"

#include "agent/destination.h"
#include "agent/format/keys.h"
#include "agent/process.h"
#include "agent/retention.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_TRIES = 1000 };

enum { FILE_MODE = 0600 }; /* whatever the host's umask takes away */

/* Not /proc/self: that is the main thread, with other descriptors. */
#define OWN_DESCRIPTORS "/proc/thread-self/fd"

static uint64_t keep, dir_limit;
static uint32_t sequence;
static bool can_link; /* nameless files can be given a name */

void la_store_choose(const struct la_options *options, const char *temporary)
{
	keep = options->keep;
	dir_limit = options->dir_limit;
	la_destination_choose(options->dir, temporary);
}

static bool ends_with(const char *name, const char *end)
{
	size_t length = strlen(name), end_length = strlen(end);

	return length > end_length && !strcmp(name + length - end_length, end);
}

/* Skips characters of a set; false unless there were `least` to `most`. */
static bool skip(const char **at, const char *set, size_t least, size_t most)
{
	size_t length = strspn(*at, set);

	*at += length;
	return length >= least && length <= most;
}

/* "<command>.<pid>.<time>.<sequence>.pb.gz.tmp", and nothing like it. */
static bool is_temporary(const char *name)
{
	static const char digits[] = "0123456789";
	const char *at = name + strlen(name);

	if (!ends_with(name, LA_SNAPSHOT_SUFFIX LA_TEMPORARY_SUFFIX))
		return false;
	/* A command may hold dots: back over three parts and the suffix. */
	for (int dots = 0; at > name && dots < 6; dots += *at == '.')
		at--;
	return at > name && skip(&at, ".", 1, 1) && skip(&at, digits, 1, 10) &&
	       skip(&at, ".", 1, 1) && skip(&at, digits, 8, 8) &&
	       skip(&at, "T", 1, 1) && skip(&at, digits, 9, 9) &&
	       skip(&at, "Z", 1, 1) && skip(&at, ".", 1, 1) &&
	       skip(&at, digits, 1, 10) &&
	       !strcmp(at, LA_SNAPSHOT_SUFFIX LA_TEMPORARY_SUFFIX);
}

/* Removes a temporary that nobody has locked. */
static void sweep_one(const char *name)
{
	int fd = openat(la_destination_fd(), name,
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat status;

	if (fd < 0)
		return;
	if (!fstat(fd, &status) && S_ISREG(status.st_mode) &&
	    status.st_uid == geteuid() && !flock(fd, LOCK_EX | LOCK_NB))
		unlinkat(la_destination_fd(), name, 0);
	close(fd);
}

static void sweep(const char *name, void *argument)
{
	(void)argument;
	if (is_temporary(name))
		sweep_one(name);
}

/* What is remembered of another folder's files says nothing of this one. */
int la_store_open(void)
{
	bool opened;
	int folder = la_destination_open(&opened);

	if (folder < 0)
		return folder;
	if (opened) {
		can_link = !access(OWN_DESCRIPTORS, X_OK);
		la_retention_clear();
		la_destination_list(sweep, NULL);
	}
	return 0;
}

static void file_name(char name[NAME_MAX + 1], uint64_t utc_ns,
		      uint32_t number)
{
	char time[LA_TIME_BYTES], compact[LA_TIME_BYTES];
	unsigned used = 0;

	la_time_text(utc_ns, time);
	for (const char *at = time; *at; at++)
		if (!strchr("-:.", *at))
			compact[used++] = *at;
	compact[used] = '\0';
	snprintf(name, NAME_MAX + 1, "%s.%d.%s.%u" LA_SNAPSHOT_SUFFIX,
		 la_process.command, la_process.pid, compact, number);
}

/*
 * Between its coming and its lock, another process that starts may have taken a
 * file for a dead writer's. False: it has, and removes it.
 */
static bool lock_named(const struct la_store_file *file)
{
	struct stat status;

	/* Where files cannot be locked, nothing is swept either. */
	if (flock(file->fd, LOCK_EX | LOCK_NB))
		return errno != EWOULDBLOCK;
	return !fstat(file->fd, &status) && status.st_nlink;
}

/* For file systems without O_TMPFILE. */
static int begin_named(struct la_store_file *file)
{
	for (int i = 0; i < NAME_TRIES; i++, file->sequence++) {
		char name[NAME_MAX + 1];

		file_name(name, file->utc_ns, file->sequence);
		snprintf(file->temporary, sizeof(file->temporary), "%.*s%s",
			 (int)(NAME_MAX - strlen(LA_TEMPORARY_SUFFIX)), name,
			 LA_TEMPORARY_SUFFIX);
		file->fd = openat(la_destination_fd(), file->temporary,
				  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
					  O_CLOEXEC,
				  FILE_MODE);
		if (file->fd >= 0 && lock_named(file)) {
			fchmod(file->fd, FILE_MODE);
			return 0;
		}
		if (file->fd < 0 && errno != EEXIST)
			return -errno;
		if (file->fd >= 0)
			close(file->fd);
	}
	return -EEXIST;
}

int la_store_begin(struct la_store_file *file, uint64_t utc_ns)
{
	int error = la_store_open();

	*file = (struct la_store_file){ .fd = -1,
					.utc_ns = utc_ns,
					.taken_ns = la_clock_monotonic(),
					.sequence = sequence + 1 };
	if (error)
		return error;
	if (!can_link)
		return begin_named(file);
	file->fd = openat(la_destination_fd(), ".",
			  O_TMPFILE | O_WRONLY | O_CLOEXEC, FILE_MODE);
	if (file->fd >= 0) {
		fchmod(file->fd, FILE_MODE);
		return 0;
	}
	if (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)
		return begin_named(file);
	return -errno;
}

/* Links the nameless file, by its path, since only root may link by number. */
static int link_nameless(int fd, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), OWN_DESCRIPTORS "/%d", fd);
	return linkat(AT_FDCWD, path, la_destination_fd(), name,
		      AT_SYMLINK_FOLLOW);
}

static int publish(const struct la_store_file *file, const char *name)
{
	int folder = la_destination_fd();

	if (!*file->temporary)
		return link_nameless(file->fd, name);
	if (!renameat2(folder, file->temporary, folder, name, RENAME_NOREPLACE))
		return 0;
	if (errno == EEXIST || (errno != EINVAL && errno != ENOSYS))
		return -1;
	if (linkat(folder, file->temporary, folder, name, 0))
		return -1;
	unlinkat(folder, file->temporary, 0);
	return 0;
}

static void add_size(const char *name, void *argument)
{
	uint64_t *bytes = argument;
	struct stat status;

	if (ends_with(name, LA_SNAPSHOT_SUFFIX) &&
	    !fstatat(la_destination_fd(), name, &status,
		     AT_SYMLINK_NOFOLLOW) &&
	    S_ISREG(status.st_mode))
		*bytes += (uint64_t)status.st_size;
}

/* All bytes in snapshots in the folder, whoever wrote them. */
static uint64_t folder_bytes(void)
{
	uint64_t bytes = 0;

	la_destination_list(add_size, &bytes);
	return bytes;
}

static bool give_up_one(uint64_t newest_ns)
{
	struct la_kept victim;
	char name[NAME_MAX + 1];

	if (!la_retention_thin(newest_ns, &victim))
		return false;
	file_name(name, victim.utc_ns, victim.sequence);
	unlinkat(la_destination_fd(), name, 0);
	return true;
}

/* Room for a file in the folder, by giving up older ones of this process. */
static int make_room(uint64_t bytes, uint64_t taken_ns)
{
	uint64_t used = dir_limit ? folder_bytes() : 0;

	/* Nothing is given up in vain. */
	if (dir_limit && used + bytes > dir_limit + la_retention_spare_bytes())
		return -EDQUOT;
	while (dir_limit && used + bytes > dir_limit) {
		if (!give_up_one(taken_ns))
			return -EDQUOT;
		used = folder_bytes();
	}
	return 0;
}

/* There is a new one: as many go as there are to be fewer. */
static void take_place(const struct la_store_file *file, uint64_t bytes)
{
	while (keep && la_retention_count() >= keep)
		if (!give_up_one(file->taken_ns))
			break;
	la_retention_add((struct la_kept){
		.utc_ns = file->utc_ns,
		.taken_ns = file->taken_ns,
		.bytes = bytes,
		.sequence = file->sequence,
	});
}

int la_store_commit(struct la_store_file *file, char path[PATH_MAX])
{
	char name[NAME_MAX + 1];
	struct stat status;
	int error = fstat(file->fd, &status) ?
			    -errno :
			    make_room((uint64_t)status.st_size,
				      file->taken_ns);

	for (int i = 0; !error && i < NAME_TRIES; i++) {
		file_name(name, file->utc_ns, file->sequence);
		if (!publish(file, name)) {
			*file->temporary = '\0';
			sequence = file->sequence;
			take_place(file, (uint64_t)status.st_size);
			snprintf(path, PATH_MAX, "%.*s/%s",
				 PATH_MAX - NAME_MAX - 2, la_destination_path(),
				 name);
			close(file->fd);
			return 0;
		}
		/* Somebody else's: it stays, and this one takes another name. */
		error = errno == EEXIST ? 0 : -errno;
		file->sequence++;
	}
	la_store_abandon(file);
	return error ? error : -EEXIST;
}

void la_store_abandon(struct la_store_file *file)
{
	if (*file->temporary)
		unlinkat(la_destination_fd(), file->temporary, 0);
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

void la_store_after_fork(void)
{
	la_destination_after_fork();
	sequence = 0;
	la_retention_clear();
}
