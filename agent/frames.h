/*
 * The places in code that were seen on stacks: an address in a module, with
 * its unwind rule. A frame's id is given once and kept for ever; the same
 * address in another module that was loaded there later is another frame.
 */
#ifndef LA_FRAMES_H
#define LA_FRAMES_H

#include "agent/unwind.h"

#include <stdbool.h>
#include <stdint.h>

/* Marker frames, see LA_FRAME_JIT and its like in keys.h. */
enum {
	LA_FRAME_ID_JIT = 1,
	LA_FRAME_ID_TRUNCATED,
	LA_FRAME_ID_UNTRACKED,
	LA_FRAME_FIRST
};

/* Memory that a snapshot wants for each frame: it is put by beforehand. */
enum { LA_FRAME_SNAPSHOT_BYTES = 8 };

struct la_frame {
	uintptr_t address;
	uint32_t module; /* 0: none, for the markers */
	uint32_t generation; /* of the modules when this was last true */
	struct la_rule rule;
	bool ours; /* in the agent's own code: steps are made, but not shown */
};

int la_frames_boot(void);

/*
 * The frame at `address`, or LA_FRAME_ID_JIT where no file is loaded, or 0
 * when memory ran out. Any thread. With `patient`, an address that was never
 * seen is looked up, which takes locks: none of the agent's may be held. Without
 * it, such an address gives 0.
 */
uint32_t la_frames_find(uintptr_t address, bool patient);

const struct la_frame *la_frame_at(uint32_t id);
uint32_t la_frames_count(void);

#endif
