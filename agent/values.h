/*
 * How values of options are written. Each parser takes the whole text and
 * fills *value, whose type depends on the parser; on false it is unchanged.
 */
#ifndef LA_VALUES_H
#define LA_VALUES_H

#include <stdbool.h>
#include <stdint.h>

enum la_exit { LA_EXIT_OFF, LA_EXIT_ON, LA_EXIT_ALWAYS };

/* An amount of memory. */
struct la_amount {
	uint64_t percent; /* of what there is, unless it is 0 */
	uint64_t bytes;
};

/* Less is too little to begin with. */
#define LA_LEAST_MEMORY (UINT64_C(4) << 20)

bool la_parse_size(const char *text, void *value);   /* uint64_t, bytes */
bool la_parse_time(const char *text, void *value);   /* uint64_t, ns */
bool la_parse_count(const char *text, void *value);  /* uint64_t */
bool la_parse_depth(const char *text, void *value);  /* uint64_t */
bool la_parse_keep(const char *text, void *value);   /* uint64_t, 0 = all */
bool la_parse_switch(const char *text, void *value); /* bool */
bool la_parse_exit(const char *text, void *value);   /* enum la_exit */
bool la_parse_memory(const char *text, void *value); /* struct la_amount */
bool la_parse_signal(const char *text, void *value); /* int, 0 = off */

/* The other way: "USR2", "RTMIN+3", "off". */
void la_signal_name(int signal, char *name, unsigned size);

#endif
