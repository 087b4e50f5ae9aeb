/* Asks the agent of a process to do something, through its control page. */
#ifndef CONTROL_REQUEST_H
#define CONTROL_REQUEST_H

#include "scripts/control/process.h"

/*
 * Waits until it is done. Returns 0 with the page as it is then, or after
 * saying why, 1.
 */
int request(const struct process *process, int fd, enum la_verb verb,
	    struct la_control_page *page);

#endif
