/*
 * Fork: tables that a child finds whole, whatever the parent's other threads
 * did; and libc's own fork in hosts with one thread, see lone.h.
 */
#ifndef LA_FORK_H
#define LA_FORK_H

#include <stdbool.h>

struct la_state;

/*
 * At boot. `in_child` is called in each child, as soon as its tables are its own
 * and before anything is recorded; it is told whether the parent's code was
 * inside the allocator, where a signal handler has forked: then nothing may be
 * allocated until that is left. 0 or -errno.
 */
int la_fork_boot(void (*in_child)(bool inside_allocator));

/* By the hook, whose frame it is, before libc's fork. Any thread. */
void la_fork_prepare(const void *frame);

/* Undoes that where libc has not forked; nothing otherwise. Keeps errno. */
void la_fork_abandon(void);

/* Whether the calling thread has come to that frame out of the allocator. */
bool la_fork_inside_allocator(const struct la_state *state, const void *frame);

#endif
