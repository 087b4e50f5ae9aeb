/*
 * The atoms of JSON. Output is always valid UTF-8 that cannot command a
 * terminal, whatever names hold.
 */
#ifndef DIFF_JSON_H
#define DIFF_JSON_H

#include <stdio.h>

/* With quotes; NULL and "" are null. Bytes that are not UTF-8 become U+FFFD. */
void json_text(FILE *out, const char *text);

/* null for what JSON cannot say: not a number, infinity. */
void json_double(FILE *out, double number);

#endif
