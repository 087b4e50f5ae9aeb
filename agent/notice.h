/*
 * Lines on the host's standard error, each beginning with "leakagent: ": few,
 * and only where people must know. Names in them cannot command a terminal.
 */
#ifndef LA_NOTICE_H
#define LA_NOTICE_H

#include <stdbool.h>

/* At boot: remembers which file standard error is. */
void la_notice_boot(void);

/*
 * While the program starts, on a host thread: keeps errno, and raises no signal
 * that a write may.
 */
void la_notice(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Later, on the agent's thread, whose descriptors are its own: borrows the
 * host's for a moment. Programs close descriptor 2 and give its number to other
 * files: says nothing unless it is the file that it was at boot, nor where that
 * would have to wait, nor under a filter of system calls. Whether it has said it.
 */
bool la_notice_late(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

#endif
