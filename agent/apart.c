/* See apart.h. */

#define _GNU_SOURCE /* close_range, unshare, getdents64 */

#include "agent/apart.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* Of those that are looked for one by one. */
enum { MOST_DESCRIPTORS = 65536 };

/* All that this thread's own table has. */
static void close_all(void)
{
	struct rlimit limit = { .rlim_cur = MOST_DESCRIPTORS };
	_Alignas(struct dirent64) char entries[4096];
	int list = open("/proc/thread-self/fd",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ssize_t filled;

	while (list >= 0 &&
	       (filled = getdents64(list, entries, sizeof(entries))) > 0)
		for (ssize_t at = 0; at < filled;) {
			struct dirent64 *entry = (void *)(entries + at);

			if (entry->d_name[0] != '.' &&
			    atoi(entry->d_name) != list)
				close(atoi(entry->d_name));
			at += entry->d_reclen;
		}
	if (list >= 0) {
		close(list);
		return;
	}
	getrlimit(RLIMIT_NOFILE, &limit);
	for (int fd = 0;
	     fd < MOST_DESCRIPTORS && (rlim_t)fd < limit.rlim_cur; fd++)
		close(fd);
}

bool la_apart_begin(void)
{
	/* The folder is known by its whole path; where the host was started
	 * may be on a file system that is to be unmounted. */
	if (!unshare(CLONE_FS))
		(void)!chdir("/");
	if (!close_range(0, ~0U, CLOSE_RANGE_UNSHARE))
		return true;
	if (unshare(CLONE_FILES))
		return false;
	close_all();
	return true;
}
