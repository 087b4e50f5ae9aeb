/*
 * The arithmetic of sampled figures. What the numbers are summed over, and how
 * they are shown, is others' business.
 */
#include "diff/estimate.h"

#include <math.h>

#define MARGIN_STANDARD_ERRORS 2

static double between(double low, double value, double high)
{
	return fmin(fmax(value, low), high);
}

/* In one process both are of the same blocks, but for those that came later. */
double estimate_allocated(const struct estimate_pair *pair)
{
	if (!pair->same_process)
		return pair->allocated_before + pair->allocated_after;
	return fabs(pair->allocated_after - pair->allocated_before);
}

/*
 * Let A be the variance of what was live earlier and B that of what is live
 * later. Two processes share no block, and the variance of the difference is
 * A + B. In one process, what is live in both, with the variance S, has the
 * same estimate in both and cancels out. So growth is the difference of two
 * sums that share no block: what came, B - S, and what went, A - S, which makes
 *	A + B - 2 S.
 * S is not known, but what came was allocated in between, of which the variance
 * N is known; so B - S <= N. Also 0 <= S <= A. With the smallest S that is
 * possible the variance is not understated: it is right when all that was
 * allocated in between is still live, and up to A + B when most of it is gone.
 *
 * When the agent has thinned its sample out in between, the variance of what is
 * live in both is S before and S' after, and the difference between its two
 * estimates has that of S' - S. This adds up to (B - S') + (S' - S) + (A - S),
 * the same sum; but now B - N limits S', not S, of which nothing is known.
 */
double estimate_growth(const struct estimate_pair *pair)
{
	/* Asked for, the snapshot taken later may be the one "before". */
	bool turned = pair->allocated_after < pair->allocated_before;
	double earlier = turned ? pair->live_after : pair->live_before;
	double later = turned ? pair->live_before : pair->live_after;
	double shared = 0;

	if (pair->same_process && pair->same_rate)
		shared = between(0, later - estimate_allocated(pair), earlier);
	return earlier + later - 2 * shared;
}

double estimate_margin(double variance)
{
	return MARGIN_STANDARD_ERRORS * sqrt(variance);
}

bool estimate_is_noise(int64_t figure, double variance)
{
	return variance > 0 && fabs((double)figure) < estimate_margin(variance);
}

int64_t estimate_at_least(int64_t figure, double variance)
{
	if (!(variance > 0))
		return figure;
	if ((double)figure <= estimate_margin(variance))
		return 0;
	/* less than `figure`, and so it fits */
	return figure - (int64_t)estimate_margin(variance);
}
