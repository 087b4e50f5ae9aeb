/*
 * The agent's few words to the user: lines on stderr, each written with one
 * system call. Any thread; keeps errno.
 */
#ifndef LA_NOTICE_H
#define LA_NOTICE_H

/* Writes "leakagent: <text>\n"; names in it cannot command a terminal. */
void la_notice(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
