/*
 * Where a host gives up what the agent's thread needs to reach its folder: the
 * root directory, the user. That thread may have begun just now: it is let open
 * the folder first, and keeps that.
 */

#define _GNU_SOURCE /* setresuid, setgroups */

#include "agent/hook.h"

#include <errno.h>
#include <grp.h>
#include <sys/types.h>
#include <unistd.h>

#define MOVE_HOOK(name, parameters, arguments)                                 \
	LA_EXPORT int name parameters                                          \
	{                                                                      \
		la_boot_move();                                                \
		if (la_real_ready() && la_real.name)                           \
			return la_real.name arguments;                         \
		errno = ENOSYS;                                                \
		return -1;                                                     \
	}

MOVE_HOOK(chroot, (const char *path), (path))
MOVE_HOOK(setuid, (uid_t real), (real))
MOVE_HOOK(seteuid, (uid_t effective), (effective))
MOVE_HOOK(setreuid, (uid_t real, uid_t effective), (real, effective))
MOVE_HOOK(setresuid, (uid_t real, uid_t effective, uid_t saved),
	  (real, effective, saved))
MOVE_HOOK(setgid, (gid_t real), (real))
MOVE_HOOK(setegid, (gid_t effective), (effective))
MOVE_HOOK(setregid, (gid_t real, gid_t effective), (real, effective))
MOVE_HOOK(setresgid, (gid_t real, gid_t effective, gid_t saved),
	  (real, effective, saved))
MOVE_HOOK(setgroups, (size_t count, const gid_t *groups), (count, groups))
