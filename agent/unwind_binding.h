/*
 * Which functions libunwind calls: its own, whatever the program calls by the
 * same names, and no system calls where there are to be none (quiet.h).
 */
#ifndef LA_UNWIND_BINDING_H
#define LA_UNWIND_BINDING_H

/*
 * `library` is dlopen's handle of libunwind, which was loaded with RTLD_NOW.
 * Once, while the program starts. What cannot be changed stays as it is.
 */
void la_unwind_bind(void *library);

#endif
