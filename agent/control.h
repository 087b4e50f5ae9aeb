/*
 * The agent's side of the control page (format/control_page.h). On the agent's
 * thread.
 */
#ifndef LA_CONTROL_H
#define LA_CONTROL_H

#include "agent/options.h"

#include <stdint.h>

/*
 * Creates the page. Returns the word that requesters wake, to sleep on; NULL
 * where the page cannot be had: then there are no requests.
 */
uint32_t *la_control_open(const struct la_options *options);

/* What was requested and not yet answered: enum la_verb, 0 = nothing. */
uint32_t la_control_pending(void);
void la_control_answer(int result);

/* What became of a snapshot: its path, or else the problem; one is NULL. */
void la_control_report(const char *problem, const char *path);

/* In a forked child: the page is the parent's. */
void la_control_after_fork(void);

#endif
