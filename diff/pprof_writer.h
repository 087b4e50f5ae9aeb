/*
 * Builds a symbolised pprof profile out of stacks and their values. Knows
 * nothing of rows; report_pprof.c chooses what goes in.
 */
#ifndef DIFF_PPROF_WRITER_H
#define DIFF_PPROF_WRITER_H

#include "diff/callsite.h"
#include "diff/snapshot.h"

#include <stdio.h>

struct pprof_writer;

/*
 * `has` tells which sample types are written, `sample` the one that readers
 * show first. Never NULL.
 */
struct pprof_writer *pprof_writer_new(struct resolver *resolver,
				      const bool has[LA_SAMPLE_TYPES],
				      enum la_sample_type sample);

void pprof_writer_comment(struct pprof_writer *writer, const char *key,
			  const char *value);

/*
 * The standard errors become labels of the sample where they are not 0, and
 * `process` unless it is NULL.
 */
void pprof_writer_sample(struct pprof_writer *writer,
			 const struct stack *stack,
			 const int64_t values[LA_SAMPLE_TYPES],
			 const int64_t errors[LA_SAMPLE_TYPES],
			 const char *process);

/* Writes it, gzip-compressed, and frees it. */
void pprof_writer_finish(struct pprof_writer *writer, int64_t time_ns,
			 int64_t duration_ns, int64_t period, FILE *out);

#endif
