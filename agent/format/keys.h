/*
 * The words of the snapshot file: what the agent writes into the fields of
 * profile.proto, and what readers look for. Together with profile.proto this
 * is the whole contract between the agent and leakdiff.
 *
 * A snapshot
 *   has the four sample types below, in this order, each sample one value for
 *     each; inuse_space is the default; period_type is space/bytes; period 1
 *     means exact, another one is the mean number of bytes between two sampled
 *     allocations: values are then estimates, scaled up already, of kind heap;
 *   lists the main program as its first mapping; a mapping is the executable
 *     segment of one loaded object, so that
 *         address - memory_start + file_offset
 *     is the place in the file, the same in every process that runs it;
 *   holds return address - 1 in each location (the pc itself for a frame that
 *     a signal interrupted), leaf first, unsymbolised: no functions, no lines
 *     and no has_* flag, with the marker frames below as the only exceptions;
 *   labels every sample with its kind, and threads with their stack size.
 * Two samples may share their stack when their labels differ.
 */
#ifndef LA_FORMAT_KEYS_H
#define LA_FORMAT_KEYS_H

#define LEAKAGENT_VERSION "0.1.0"

/* Raised when a reader of the previous schema would be misled. */
#define LA_SCHEMA 1

/* Sample types in the order of Sample.value. */
enum la_sample_type {
	LA_ALLOC_OBJECTS,
	LA_ALLOC_SPACE,
	LA_INUSE_OBJECTS,
	LA_INUSE_SPACE,
	LA_SAMPLE_TYPES
};

#define LA_SAMPLE_TYPE_NAMES                                                   \
	{ "alloc_objects", "alloc_space", "inuse_objects", "inuse_space" }
#define LA_SAMPLE_TYPE_UNITS { "count", "bytes", "count", "bytes" }
#define LA_DEFAULT_SAMPLE_TYPE "inuse_space"
#define LA_PERIOD_TYPE "space"
#define LA_UNIT_BYTES "bytes"
#define LA_UNIT_COUNT "count"

/* Labels. */
#define LA_LABEL_KIND "kind"             /* string: one of the kinds below */
#define LA_LABEL_STACK_SIZE "stack_size" /* number, bytes: kind=thread only */

/*
 * Numbers, on samples whose values are estimates: one standard error of each
 * value. Errors of different samples of a snapshot are independent: the error
 * of a sum is the root of the sum of their squares. Two snapshots of one process
 * share blocks: what was sampled between them has the error
 *     sqrt(later alloc error^2 - earlier alloc error^2).
 */
#define LA_LABEL_ERROR_NAMES                                                   \
	{ "alloc_objects_error", "alloc_space_error", "inuse_objects_error",   \
	  "inuse_space_error" }

#define LA_KIND_HEAP "heap"
#define LA_KIND_MMAP "mmap"
#define LA_KIND_THREAD "thread"

/*
 * Marker frames: locations without mapping and address whose single line names
 * a function of this name. Consecutive frames in code without any file are one
 * [jit] frame; [truncated] is the outermost frame of a stack that was deeper
 * than the depth limit, or that could not be unwound further.
 */
#define LA_FRAME_JIT "[jit]"
#define LA_FRAME_TRUNCATED "[truncated]"
#define LA_FRAME_UNTRACKED "[untracked stacks]"

/*
 * Comments, each "key=value". Times are RFC 3339 in UTC with milliseconds,
 * sizes are bytes, counts are decimal.
 */
#define LA_COMMENT_SCHEMA "schema"     /* LA_SCHEMA; always the first */
#define LA_COMMENT_VERSION "agent"     /* LEAKAGENT_VERSION */
#define LA_COMMENT_COMMAND "command"   /* name of the executable's file */
#define LA_COMMENT_PID "pid"
#define LA_COMMENT_PARENT "ppid"
#define LA_COMMENT_HOST "host"
#define LA_COMMENT_START "start"       /* of the process (exec or fork) */
#define LA_COMMENT_SEQUENCE "sequence" /* 1, 2, ... within the process */
#define LA_COMMENT_REASON "reason"     /* timer signal growth exit exec request
                                          seccomp
                                          call:<what the program passed> */
#define LA_COMMENT_RSS "rss_bytes"
#define LA_COMMENT_RSS_ANON "rss_anon_bytes"
#define LA_COMMENT_RSS_FILE "rss_file_bytes"
#define LA_COMMENT_RSS_SHMEM "rss_shmem_bytes"
#define LA_COMMENT_SWAP "swap_bytes"
#define LA_COMMENT_ALLOCATOR "allocator" /* file that defines its malloc */
#define LA_COMMENT_HEAP "heap" /* only when its calls pass the agent by */
#define LA_COMMENT_SIGNAL "signal"       /* a name, off, or taken-by-host */
#define LA_COMMENT_TRACKING "tracking"   /* on or off */
#define LA_COMMENT_AGENT_BYTES "agent_bytes" /* the agent's own memory */
#define LA_COMMENT_AGENT_LIMIT "agent_limit_bytes" /* its `memory` option */
#define LA_COMMENT_DROPS "drops"             /* events it could not record */
/* The `sample` option, 0 = exact; and what the memory limit made of it since:
 * the mean bytes between samples now, only there when it differs. */
#define LA_COMMENT_SAMPLE "sample_bytes"
#define LA_COMMENT_COARSENED "coarsened_bytes"
/* With the `verify` option: stacks compared, and those that differed. */
#define LA_COMMENT_VERIFIED "verified_stacks"
#define LA_COMMENT_DIFFERENT "different_stacks"
#define LA_COMMENT_DIFFERENCE "difference" /* one of them, for reading; up to 4 */

#define LA_SIGNAL_TAKEN "taken-by-host"
#define LA_HEAP_UNTRACKED "not-tracked"

/* <command>.<pid>.<YYYYMMDDTHHMMSSmmmZ>.<sequence>.pb.gz */
#define LA_SNAPSHOT_SUFFIX ".pb.gz"
/* What a snapshot is called until it is whole. */
#define LA_TEMPORARY_SUFFIX ".tmp"

#endif
