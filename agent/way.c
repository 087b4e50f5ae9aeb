/* See way.h. */

#include "agent/way.h"

uint64_t la_way_power(unsigned frames)
{
	uint64_t power = 1;

	while (frames-- > 0)
		power = la_way_times(power, LA_WAY_BASE);
	return power;
}
