/*
 * Facts about the host process that snapshots carry.
 */
#ifndef LA_PROCESS_H
#define LA_PROCESS_H

#include "agent/visibility.h"

#include <stdbool.h>
#include <stdint.h>

enum { LA_COMMAND_BYTES = 64, LA_HOST_BYTES = 65 };

struct la_process {
	int pid, ppid;
	uint64_t start_ns; /* of this program or this fork, UTC */
	uint64_t start_monotonic_ns;
	bool forked; /* this program image was not exec'd by this process */
	char command[LA_COMMAND_BYTES]; /* file name of the executable */
	char host[LA_HOST_BYTES];
};

/* Filled at boot and anew in a forked child; read by anybody. */
extern LA_HIDDEN struct la_process la_process;

void la_process_boot(void);
void la_process_after_fork(void);

/* A vfork child, or a child made without fork: it shares or copies our state. */
bool la_process_is_another(void);

/* Whether the parent carries the agent too: then this is not the first. */
bool la_process_has_tracked_parent(void);

/* Clocks, in ns. */
uint64_t la_clock_utc(void);
uint64_t la_clock_monotonic(void);

/* 2026-11-21T13:02:11.123Z: 24 characters and the end. */
enum { LA_TIME_BYTES = 25 };
void la_time_text(uint64_t utc_ns, char text[LA_TIME_BYTES]);

/* What the kernel says of the process now, in bytes; -1 = unknown. */
struct la_resident {
	int64_t all, anonymous, file, shared, swapped;
};

/* On the agent's thread: they open files. */
struct la_resident la_process_resident(void);

/* Whether all threads but the calling one block the signal. */
bool la_process_blocks(int signal);

#endif
