/*
 * Which functions libunwind calls: its own, whatever the program calls by the
 * same names, and no system calls where there are to be none (quiet.h).
 */
#ifndef LA_UNWIND_BINDING_H
#define LA_UNWIND_BINDING_H

#include "agent/visibility.h"

#include <stdbool.h>

/*
 * `library` is dlopen's handle of libunwind, which was loaded with RTLD_NOW.
 * Once, while the program starts. What cannot be changed stays as it is.
 */
void la_unwind_bind(void *library);

/*
 * Set while this thread calls libunwind for the first time, where it would open a
 * pipe and try whether memory can be asked for: neither reaches the kernel then.
 */
extern __thread LA_HIDDEN bool la_unwind_begins;

#endif
