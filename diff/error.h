/*
 * What went wrong, as one line for the user. Functions that can fail fill one
 * of these and return -1; only main prints it and ends the program.
 */
#ifndef DIFF_ERROR_H
#define DIFF_ERROR_H

struct error {
	char text[1024];
};

/* Always returns -1, so that callers can return its result. */
int error_set(struct error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
