/* See lone.h. */

#define _GNU_SOURCE /* RTLD_NEXT */

#include "agent/lone.h"

#include "agent/real.h"

#include <dlfcn.h>

/*
 * glibc ends the process when the last thread ends, by a count that debuggers
 * read, too; and looks at one byte of its own, of which programs may have
 * copies, to see whether there is another thread.
 */
static unsigned *count;
static char *single;
static char was_single;

void la_lone_boot(void)
{
	count = dlsym(RTLD_DEFAULT, "__nptl_nthreads");
	/* Not the program's copy: that comes first. */
	single = dlsym(RTLD_NEXT, "__libc_single_threaded");
	la_real_forget_error();
}

void la_lone_leave_out(void)
{
	if (count)
		__atomic_sub_fetch(count, 1, __ATOMIC_SEQ_CST);
}

void la_lone_take_in(void)
{
	if (count)
		__atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
}

bool la_lone(void)
{
	return count && single &&
	       __atomic_load_n(count, __ATOMIC_SEQ_CST) == 1;
}

void la_lone_begin(void)
{
	was_single = *single;
	*single = 1;
}

void la_lone_end(void)
{
	*single = was_single;
}
