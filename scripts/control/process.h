/*
 * Processes as /proc shows them: what they are called, whether they carry the
 * agent, and where their control page is. Everything here belongs to others
 * and may vanish or change at any time.
 */
#ifndef CONTROL_PROCESS_H
#define CONTROL_PROCESS_H

#include "agent/format/control_page.h"

#include <stdbool.h>
#include <sys/types.h>

/* One process, held through its /proc folder: never another one's pid. */
struct process {
	pid_t pid;
	int folder; /* /proc/PID */
};

/* Returns 0 or -errno (-ENOENT: there is none). process_close undoes it. */
int process_open(pid_t pid, struct process *process);
void process_close(struct process *process);

/* The state letter of proc(5); 0 when the process has ended, or is a zombie. */
char process_state(const struct process *process);

/* The name of the process, "?" where it is gone; cut to fit. */
void process_name(const struct process *process, char *name, size_t room);

/*
 * Whether libleakagent.so is among what it maps: 1, 0, or -errno (-EACCES:
 * not allowed to look).
 */
int process_carries_agent(const struct process *process);

/*
 * A descriptor of its control page, open for reading, and for writing where
 * asked for; -ENOENT when it has none, else -errno. The caller closes it. What
 * is in it has been checked to be a page, not to be true.
 */
int process_open_page(const struct process *process, bool writable);

/*
 * Whether that page, opened before, is still its own: not once it has executed
 * another program. True where that cannot be told.
 */
bool process_has_page(const struct process *process, int fd);

/* A copy of the page. Returns 0 or -errno (-EPROTO: not valid yet). */
int page_copy(int fd, struct la_control_page *page);

#endif
