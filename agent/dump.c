/* See dump.h. */

#define _GNU_SOURCE /* strerrordesc_np */

#include "agent/dump.h"

#include "agent/destination.h"
#include "agent/format/keys.h"
#include "agent/growth.h"
#include "agent/memory.h"
#include "agent/process.h"
#include "agent/real.h"
#include "agent/sampler.h"
#include "agent/signals.h"
#include "agent/snapshot.h"
#include "agent/state.h"
#include "agent/store.h"
#include "agent/verify.h"
#include "agent/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MOST_NOTES = 32 };

struct notes {
	unsigned count;
	struct la_note list[MOST_NOTES];
};

static const struct la_options *options;
static struct notes notes; /* too large for a stack; one thread uses it */

static void __attribute__((format(printf, 2, 3)))
note(const char *key, const char *format, ...)
{
	struct la_note *next = &notes.list[notes.count];
	va_list arguments;

	if (notes.count == MOST_NOTES)
		return;
	next->key = key;
	va_start(arguments, format);
	vsnprintf(next->value, sizeof(next->value), format, arguments);
	va_end(arguments);
	notes.count++;
}

static void note_bytes(const char *key, int64_t bytes)
{
	if (bytes >= 0)
		note(key, "%" PRId64, bytes);
}

static void note_signal(void)
{
	char name[32];

	la_signal_name(options->signal, name, sizeof(name));
	if (la_signals_state() == LA_SIGNAL_TAKEN_BY_HOST)
		note(LA_COMMENT_SIGNAL, "%s", LA_SIGNAL_TAKEN);
	else
		note(LA_COMMENT_SIGNAL, "%s", name);
}

static void note_verified(void)
{
	struct la_verified verified = la_verify_result();
	char text[sizeof(notes.list[0].value)];

	note(LA_COMMENT_VERIFIED, "%" PRIu64, verified.stacks);
	note(LA_COMMENT_DIFFERENT, "%" PRIu64, verified.different);
	for (unsigned i = 0; la_verify_describe(i, text, sizeof(text)); i++)
		note(LA_COMMENT_DIFFERENCE, "%s", text);
}

static void note_sampling(const struct la_snapshot *snapshot)
{
	note(LA_COMMENT_SAMPLE, "%" PRIu64, la_sampler_interval);
	if (snapshot->interval != la_sampler_interval)
		note(LA_COMMENT_COARSENED, "%" PRIu64, snapshot->interval);
}

static void collect_notes(const struct la_snapshot *snapshot,
			  const char *reason, uint32_t sequence)
{
	struct la_resident resident = la_process_resident();
	char start[LA_TIME_BYTES];

	la_time_text(la_process.start_ns, start);
	notes.count = 0;
	note(LA_COMMENT_SCHEMA, "%d", LA_SCHEMA);
	note(LA_COMMENT_VERSION, "%s", LEAKAGENT_VERSION);
	note(LA_COMMENT_COMMAND, "%s", la_process.command);
	note(LA_COMMENT_PID, "%d", la_process.pid);
	note(LA_COMMENT_PARENT, "%d", la_process.ppid);
	note(LA_COMMENT_HOST, "%s", la_process.host);
	note(LA_COMMENT_START, "%s", start);
	note(LA_COMMENT_SEQUENCE, "%u", sequence);
	note(LA_COMMENT_REASON, "%s", reason);
	note_bytes(LA_COMMENT_RSS, resident.all);
	note_bytes(LA_COMMENT_RSS_ANON, resident.anonymous);
	note_bytes(LA_COMMENT_RSS_FILE, resident.file);
	note_bytes(LA_COMMENT_RSS_SHMEM, resident.shared);
	note_bytes(LA_COMMENT_SWAP, resident.swapped);
	note(LA_COMMENT_ALLOCATOR, "%s", la_real_allocator());
	if (la_real_passed_by())
		note(LA_COMMENT_HEAP, "%s", LA_HEAP_UNTRACKED);
	note_signal();
	note(LA_COMMENT_TRACKING, "%s",
	     la_mode_now() == LA_MODE_ON ? "on" : "off");
	note(LA_COMMENT_AGENT_BYTES, "%zu", la_memory_bytes());
	note(LA_COMMENT_AGENT_LIMIT, "%" PRIu64, la_memory_limit());
	note(LA_COMMENT_DROPS, "%" PRIu64, la_drops());
	note_sampling(snapshot);
	if (options->verify)
		note_verified();
}

static int write_file(struct la_store_file *file, const char *reason,
		      char path[PATH_MAX])
{
	struct la_snapshot snapshot;
	uint64_t age = la_clock_monotonic() - la_process.start_monotonic_ns;
	int error = la_snapshot_take(&snapshot);

	if (!error) {
		collect_notes(&snapshot, reason, file->sequence);
		error = la_writer_write(file->fd, &snapshot, file->utc_ns, age,
					notes.list, notes.count);
		la_snapshot_free(&snapshot);
	}
	if (!error)
		return la_store_commit(file, path);
	la_store_abandon(file);
	return error;
}

static int dump(const char *reason, char path[PATH_MAX])
{
	struct la_store_file file;
	int error = la_store_begin(&file, la_clock_utc());

	return error ? error : write_file(&file, reason, path);
}

int la_dump(const char *reason, char path[PATH_MAX])
{
	int error;

	la_growth_restart();
	error = dump(reason, path);
	/* The host may have given up the rights that the file was made with. */
	return error == -EPERM ? dump(reason, path) : error;
}

const char *la_dump_problem(int error)
{
	if (error == -ENOENT && la_destination_moved())
		return "it is not below the program's new root directory "
		       "(chroot)";
	return error == -EDQUOT ? "dir_limit, or the disk quota, is reached" :
				  strerrordesc_np(-error);
}

void la_dump_boot(const struct la_options *from)
{
	options = from;
}
