/*
 * growth.c's two halves: changes into rows, and rows into order.
 */
#ifndef DIFF_ROWS_H
#define DIFF_ROWS_H

#include "diff/growth.h"

/* Fills growth->rows and growth->members from growth->changes. */
void rows_group(struct growth *growth, const struct growth_options *options,
		struct resolver *resolver);

/* Drops the rows that changed too little and puts the others in order. */
void rows_rank(struct growth *growth, const struct growth_options *options,
	       const struct stacks *stacks);

#endif
