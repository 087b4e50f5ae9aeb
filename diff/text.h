/*
 * The atoms of text for people: sizes, counts, durations, names that cannot
 * upset a terminal, and what the terminal can show.
 */
#ifndef DIFF_TEXT_H
#define DIFF_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_NUMBER_SIZE 32

/* "476.8 MiB", "-12 B"; with a plus before what is positive if wanted. */
void text_size(char text[TEXT_NUMBER_SIZE], int64_t bytes, bool plus);

/* "12,345", "+12,345" */
void text_count(char text[TEXT_NUMBER_SIZE], int64_t count, bool plus);

/* "+1.5 MiB/s", or per minute or hour where that is less than one. */
void text_rate(char text[TEXT_NUMBER_SIZE], double per_second, bool bytes);

/* "2h 5m", "1m 30s", "4.5s" */
void text_duration(char text[TEXT_NUMBER_SIZE], int64_t ns);

/*
 * A copy in which control characters and what is not UTF-8 are spelt out, so
 * that names out of a file cannot send commands to a terminal. Caller frees.
 */
char *text_escape(const char *text);

/* Columns that it takes on a terminal, one for each character. */
size_t text_width(const char *text);

/* Columns of the terminal on standard output; COLUMNS goes first. */
size_t text_terminal_width(void);

/* Unless NO_COLOR is set or the terminal is a dumb one. */
bool text_colours_wanted(void);

#endif
