/*
 * What goes to the terminal: messages, and text from other processes, which
 * may hold anything.
 */
#ifndef CONTROL_TEXT_H
#define CONTROL_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* One line on stderr, after "leakagent: ". */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Writes at most `room` bytes of text (less when it ends before), control
 * characters as \xHH, so that it cannot move the cursor or end the line.
 */
void print_text(FILE *to, const char *text, size_t room);

#endif
