/* What `list` and `status` print of a control page. */
#ifndef CONTROL_SHOW_H
#define CONTROL_SHOW_H

#include "scripts/control/process.h"

void show_heading(void);
/* page is NULL for a process that carries the agent but has no page. */
void show_row(const struct process *process,
	      const struct la_control_page *page);
void show_status(const struct process *process,
		 const struct la_control_page *page);

#endif
