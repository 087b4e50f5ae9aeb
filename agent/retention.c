/* See retention.h. */

#include "agent/retention.h"

#include "agent/memory.h"

#include <stddef.h>
#include <string.h>

enum { FIRST_ROOM = 128 };

/* Oldest first. */
static struct la_kept *files;
static uint32_t count, room;

static bool grow(void)
{
	uint32_t more = room ? 2 * room : FIRST_ROOM;
	struct la_kept *larger = la_memory_map(more * sizeof(*larger));

	if (!larger)
		return false;
	if (count)
		memcpy(larger, files, count * sizeof(*files));
	la_memory_unmap(files, room * sizeof(*files));
	files = larger;
	room = more;
	return true;
}

void la_retention_add(struct la_kept file)
{
	/* A file that cannot be remembered simply stays. */
	if (count < room || grow())
		files[count++] = file;
}

uint32_t la_retention_count(void)
{
	return count;
}

uint64_t la_retention_spare_bytes(void)
{
	uint64_t bytes = 0;

	for (uint32_t i = 1; i < count; i++)
		bytes += files[i].bytes;
	return bytes;
}

/*
 * The file whose going leaves the smallest gap; of equal ones the oldest. With
 * snapshots at regular times that keeps the gaps within a factor of three of
 * each other, over the whole run.
 */
static uint32_t least_missed(uint64_t newest_ns)
{
	uint32_t best = 0;
	uint64_t smallest = UINT64_MAX;

	for (uint32_t i = 1; i < count; i++) {
		uint64_t next = i + 1 < count ? files[i + 1].taken_ns :
						newest_ns;
		uint64_t gap = next - files[i - 1].taken_ns;

		if (gap < smallest) {
			smallest = gap;
			best = i;
		}
	}
	return best;
}

/*
 * Of three the last would always leave the smallest gap, and the middle one be
 * the same for ever: it goes once it is of the first third of the run.
 */
static uint32_t middle_or_last(uint64_t newest_ns)
{
	return newest_ns - files[1].taken_ns >
			       2 * (files[1].taken_ns - files[0].taken_ns) ?
		       1 :
		       2;
}

bool la_retention_thin(uint64_t newest_ns, struct la_kept *victim)
{
	uint32_t best = count == 3 ? middle_or_last(newest_ns) :
				     least_missed(newest_ns);

	if (!best)
		return false;
	*victim = files[best];
	memmove(&files[best], &files[best + 1],
		(count - best - 1) * sizeof(*files));
	count--;
	return true;
}

void la_retention_clear(void)
{
	count = 0;
}
