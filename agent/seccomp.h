/*
 * What a filter of system calls does to the agent's own calls: the filter is
 * asked, as the kernel will ask it. No memory, no locks, any thread.
 */
#ifndef LA_SECCOMP_H
#define LA_SECCOMP_H

#include <linux/filter.h>
#include <stdbool.h>

/* Each includes those before it. */
enum la_filter_harm {
	LA_HARMS_NOTHING,
	LA_HARMS_NEW,    /* what is done to begin its thread, and before exec */
	LA_HARMS_THREAD, /* what only the agent's own thread does */
	LA_HARMS_HOOKS,  /* what hooks do besides taking memory */
	LA_HARMS_MEMORY, /* taking memory */
};

/*
 * The worst. To fail a call is no harm; to end the thread or the process is, and
 * to tell the program or its supervisor of the call. A filter that cannot be
 * read, or that the kernel will not take, harms nothing.
 */
enum la_filter_harm la_seccomp_harm(const struct sock_fprog *filter);

#endif
