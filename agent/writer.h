/*
 * A snapshot as a file's contents: gzipped profile.proto, with the words of
 * format/keys.h. On the agent's thread.
 */
#ifndef LA_WRITER_H
#define LA_WRITER_H

#include "agent/snapshot.h"

#include <stdint.h>

/* The most memory that writing takes, but for LA_FRAME_SNAPSHOT_BYTES. */
enum { LA_WRITER_BYTES = 512 * 1024 };

struct la_note {
	const char *key; /* one of LA_COMMENT_* */
	char value[512];
};

/*
 * Writes the snapshot, taken at `utc_ns`, `duration_ns` after tracking began,
 * to a descriptor; 0 or -errno.
 */
int la_writer_write(int fd, const struct la_snapshot *snapshot, uint64_t utc_ns,
		    uint64_t duration_ns, const struct la_note *notes,
		    unsigned note_count);

#endif
