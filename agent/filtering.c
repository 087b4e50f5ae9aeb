/* See filtering.h. */

#include "agent/filtering.h"

#include "agent/boot.h"
#include "agent/lock.h"
#include "agent/quiet.h"
#include "agent/seccomp.h"
#include "agent/worker.h"

#include <errno.h>

/* Threads may install filters of their own at the same time. */
static void begin_quiet(void)
{
	__atomic_add_fetch(&la_quiet, 1, __ATOMIC_SEQ_CST);
	la_calm_await_none();
	la_worker_quieten();
}

/*
 * Everything ends with a last snapshot where the agent's thread is filtered, too,
 * or not even memory can be had.
 */
struct la_filtering la_filtering_begin(const struct sock_fprog *filter,
				       bool strict, bool all)
{
	struct la_filtering filtering = { .mode = la_mode_now() };
	enum la_filter_harm harm;
	int host_errno = errno;

	if (!la_boot_tracks())
		return filtering;
	harm = strict ? LA_HARMS_MEMORY : la_seccomp_harm(filter);
	filtering.ends = harm >= (all ? LA_HARMS_THREAD : LA_HARMS_MEMORY);
	filtering.quiet = filtering.ends || harm >= LA_HARMS_HOOKS;
	filtering.confined = filtering.quiet || harm >= LA_HARMS_NEW;
	if (filtering.ends)
		la_boot_pause("seccomp");
	if (filtering.confined)
		__atomic_add_fetch(&la_confined, 1, __ATOMIC_SEQ_CST);
	if (filtering.quiet)
		begin_quiet();
	errno = host_errno;
	return filtering;
}

void la_filtering_end(struct la_filtering filtering, bool installed)
{
	int host_errno = errno;

	if (installed && filtering.ends)
		la_boot_end();
	if (!installed && filtering.quiet)
		__atomic_sub_fetch(&la_quiet, 1, __ATOMIC_SEQ_CST);
	if (!installed && filtering.confined)
		__atomic_sub_fetch(&la_confined, 1, __ATOMIC_SEQ_CST);
	if (!installed && filtering.ends)
		la_boot_resume(filtering.mode);
	errno = host_errno;
}
