/*
 * How sure a figure is that was sampled. Errors are kept as variances, which
 * add up where figures do; the variance of an exact figure is 0.
 *
 * Each block of s bytes is sampled with some chance p, independently of all
 * others; if it is, it stands for 1/p blocks and s/p bytes, if not, for
 * nothing. That is right on average, and off by a variance of (1-p)/p blocks
 * squared, s*s times that in bytes. The agent adds these up as it does the
 * values, and writes the root: one standard error.
 */
#ifndef DIFF_ESTIMATE_H
#define DIFF_ESTIMATE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The variances of one stack's figures in two snapshots: of what is live, and
 * of what was ever allocated.
 */
struct estimate_pair {
	double live_before, live_after;
	double allocated_before, allocated_after;
	bool same_process;
	bool same_rate; /* of sampling */
};

/* Of what was allocated between the two. */
double estimate_allocated(const struct estimate_pair *pair);

/* Of the growth of what is live; at least as large as the true one. */
double estimate_growth(const struct estimate_pair *pair);

/*
 * What a report gives after the plus-minus sign: two standard errors. The
 * truth lies within it for 95 of 100 figures.
 */
double estimate_margin(double variance);

/* Is it smaller than its margin? Exact figures never are. */
bool estimate_is_noise(int64_t figure, double variance);

/* What it is at least: less its margin, or 0 where that is more. */
int64_t estimate_at_least(int64_t figure, double variance);

#endif
