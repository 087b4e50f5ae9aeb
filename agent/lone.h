/*
 * Hosts with one thread. libc takes the agent's thread for another one of
 * theirs, which shows where libc does without locks when there is but one: a
 * signal handler may fork wherever it has interrupted a program, and in a
 * program with threads such a fork waits for a lock that its own thread holds.
 */
#ifndef LA_LONE_H
#define LA_LONE_H

#include <stdbool.h>

/* Before the agent's thread begins; it looks symbols up. */
void la_lone_boot(void);

/*
 * On the host's thread that has created the agent's: from now on libc does not
 * count that one. The process ends with the host's last thread, and the count
 * tells how many the host has.
 */
void la_lone_leave_out(void);

/* On the agent's thread, just before it ends: libc will take it out itself. */
void la_lone_take_in(void);

/* Whether the calling thread is the host's only one. In signal handlers, too. */
bool la_lone(void);

/*
 * Between these libc does without locks: the calling thread is the only one, and
 * the agent's is not inside libc's either. In a child that was forked meanwhile
 * it stays so until there is a thread.
 */
void la_lone_begin(void);
void la_lone_end(void);

#endif
