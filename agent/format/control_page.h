/*
 * The control page: one page of memory that an agent shares with whoever may
 * look into its process, so that requests need no signal and no system call
 * on a host thread.
 *
 * The agent's thread creates it as a memfd called LA_CONTROL_NAME, which shows
 * up as /proc/PID/task/TID/fd/N for that thread alone: the host never sees the
 * descriptor. The kernel lets the same user and root open it, nobody else.
 *
 * A requester increments `request` after setting `verb`, wakes the futex on
 * `wake` (after incrementing that too), and waits on the futex `answered` until
 * it equals its request number. One requester at a time: it holds flock(2) on
 * the opened page for the whole exchange.
 */
#ifndef LA_FORMAT_CONTROL_PAGE_H
#define LA_FORMAT_CONTROL_PAGE_H

#include <stdint.h>

#define LA_CONTROL_NAME "leakagent-control"
#define LA_CONTROL_MAGIC UINT64_C(0x6c6b67656e743101)

enum la_verb {
	LA_VERB_NONE,
	LA_VERB_SNAPSHOT,
	LA_VERB_ON,
	LA_VERB_OFF,
	LA_VERB_STATUS /* bring the status below up to date */
};

enum la_signal_state {
	LA_SIGNAL_OFF,      /* the option says so */
	LA_SIGNAL_OURS,
	LA_SIGNAL_TAKEN_BY_HOST
};

struct la_control_page {
	uint64_t magic; /* written last: the page is valid once it is there */
	int32_t pid;    /* as the process itself sees it */
	int32_t signal; /* number, 0 = off */

	/* Requests: written by the requester, but for `answered` and `result`. */
	uint32_t wake;     /* futex: the agent sleeps on it */
	uint32_t verb;     /* enum la_verb */
	uint32_t request;  /* number of the request in `verb` */
	uint32_t answered; /* futex: number of the last request that is done */
	int32_t result;    /* of that request: 0 or -errno */

	/* Status: written by the agent, each word on its own. */
	uint32_t tracking;     /* 1 = on, 0 = off */
	uint32_t signal_state; /* enum la_signal_state */
	uint32_t snapshots;    /* written so far */
	uint64_t start_ns;     /* process start, UTC since the epoch */
	uint64_t interval_ns;  /* 0 = off */
	uint64_t live_bytes;   /* heap and mmap, when `updated_ns` */
	uint64_t live_objects;
	uint64_t agent_bytes; /* the agent's own memory */
	uint64_t drops;
	uint64_t updated_ns; /* UTC since the epoch */

	char command[64];
	char version[16];
	char allocator[256];
	char problem[256];        /* "" or the last thing that went wrong */
	char last_snapshot[2048]; /* "" or path of the newest snapshot */

	/* Status again, later additions: 0 where the agent is older. */
	uint64_t agent_limit; /* bytes that it may use, 0 = no limit */
	uint64_t sample; /* mean bytes between recorded blocks, 0 = all are */
	uint64_t coarsest; /* the same now: more, once the limit was reached */
};

_Static_assert(sizeof(struct la_control_page) <= 4096, "one page");

#endif
