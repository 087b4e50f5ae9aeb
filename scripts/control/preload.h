/*
 * Whether LD_PRELOAD reaches a program, judged from its file before it is
 * started.
 */
#ifndef CONTROL_PRELOAD_H
#define CONTROL_PRELOAD_H

/*
 * Replaces this process by the program words[0] (looked up in PATH) with the
 * library preloaded, before what LD_PRELOAD names already. Returns only when
 * that cannot be: 126, or 127 when there is no such program, after saying why.
 */
int preload_and_run(const char *library, char **words);

#endif
