/*
 * Start, fork and end: the one place that wires the rest together.
 */
#ifndef LA_BOOT_H
#define LA_BOOT_H

#include "agent/state.h"
#include "agent/visibility.h"

#include <stdbool.h>

struct la_state;

/* Whether this program is not to be tracked, ever: hooks only forward. */
extern LA_HIDDEN bool la_boot_declined;

/*
 * For hooks that are called before the agent's constructor, since those of the
 * program's libraries come first: begins tracking if that is possible, and
 * returns the state to track with, or NULL. `frame` is the hook's.
 */
struct la_state *la_boot_early(const void *frame);

/* Just before the program's main: the agent's thread may start now. */
void la_boot_main(void);

/* The program is about to create a thread: the agent's may start now at last. */
void la_boot_thread(void);

/*
 * The program is about to fork; `frame` is the hook's. Also from signal handlers
 * that have interrupted it anywhere, as long as it has one thread.
 */
void la_boot_fork(const void *frame);

/* What that was for has returned: it may have failed before it forked. */
void la_boot_forked(void);

/*
 * In a child that was forked while its parent's code was inside the allocator:
 * the agent's thread, which costs allocations, waits for the end of that. What
 * is to be called by hooks meanwhile, in no particular state; `frame` is the
 * hook's.
 */
extern LA_HIDDEN bool la_boot_waits;
void la_boot_look(struct la_state *state, const void *frame);

/*
 * After la_worker_pause: begins the agent's thread anew, or has it wait in the
 * same way. `frame` is the hook's. Also from signal handlers.
 */
void la_boot_restart(const void *frame);

/* _exit is about to end the process. */
void la_boot_exit_now(void);

/* The program is about to change its root directory or its user. */
void la_boot_move(void);

/* The program is about to be replaced by the one at `path`; NULL: somewhere. */
void la_boot_exec(const char *path);

/* Whether this program is tracked, or will be. */
bool la_boot_tracks(void);

/*
 * Takes a snapshot, ends the agent's thread, and records no more, until it is
 * resumed in the mode of before, or ends for good. On a host thread; errno may
 * change.
 */
void la_boot_pause(const char *reason);
void la_boot_resume(enum la_mode mode);
void la_boot_end(void);

/*
 * For programs that link weakly against it: writes a snapshot and returns when
 * it is in place; 0 or -errno. `reason` may be NULL.
 */
int leakagent_snapshot(const char *reason);

#endif
