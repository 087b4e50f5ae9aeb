/*
 * Entering namespaces: some the kernel lets a process enter only while it has
 * one thread. So the agent's thread ends for the call, and begins anew.
 */

#define _GNU_SOURCE /* unshare, setns */

#include "agent/hook.h"
#include "agent/quiet.h"
#include "agent/request.h"
#include "agent/worker.h"

#include <errno.h>
#include <sched.h>

/* What a call that fails for a second thread says. */
static bool refused(int result)
{
	return result && (errno == EINVAL || errno == EUSERS);
}

/*
 * Where children get a process namespace of their own, their parent cannot have
 * a new thread; and where it is confined, it would not live: what is known so far
 * is written before.
 */
static bool pause_agent(bool for_good)
{
	int host_errno = errno;
	bool paused;

	if (for_good || la_confined_now())
		la_request_snapshot("unshare");
	paused = la_worker_pause();
	errno = host_errno;
	return paused;
}

static void resume_agent(const void *frame)
{
	int host_errno = errno;

	la_boot_restart(frame);
	errno = host_errno;
}

LA_EXPORT int unshare(int flags)
{
	int result;

	if (!la_real_ready() || !la_real.unshare) {
		errno = ENOSYS;
		return -1;
	}
	result = la_real.unshare(flags);
	if (refused(result) && pause_agent(flags & CLONE_NEWPID)) {
		result = la_real.unshare(flags);
		resume_agent(LA_FRAME);
	}
	return result;
}

LA_EXPORT int setns(int fd, int type)
{
	int result;

	if (!la_real_ready() || !la_real.setns) {
		errno = ENOSYS;
		return -1;
	}
	result = la_real.setns(fd, type);
	if (refused(result) && pause_agent(false)) {
		result = la_real.setns(fd, type);
		resume_agent(LA_FRAME);
	}
	return result;
}
