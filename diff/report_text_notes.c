/*
 * The foot of the text report: what limits its figures, and what to do.
 */
#include "diff/report_text.h"
#include "diff/text.h"

#include "agent/format/keys.h"

#include <inttypes.h>
#include <string.h>

/* So much resident memory that is not live needs an explanation. */
#define RSS_NOTE_MINIMUM (INT64_C(8) << 20)
/* More names than this only hide the point. */
#define MODULES_NAMED 4

static void start_note(const struct text_part *part, bool *first)
{
	if (*first)
		putc('\n', part->out);
	*first = false;
	fputs("note: ", part->out);
}

/* ---- the pair ---- */

static void note_pair(const struct text_part *part, bool *first)
{
	const struct growth *growth = part->growth;
	const struct process *a, *b;

	if (!growth->before || growth->same_process)
		return;
	a = &growth->before->process;
	b = &growth->after->process;
	start_note(part, first);
	if (a->program != b->program)
		fputs("these are different programs\n", part->out);
	else
		fputs("these are different processes, so there is no rate\n",
		      part->out);
	if (a->program == b->program && a->build_id != b->build_id) {
		start_note(part, first);
		text_put(part->out, b->program);
		fputs(" is another build in the newer snapshot: its places "
		      "are matched by function and line\n",
		      part->out);
	}
}

static void put_period(const struct text_part *part, const char *which,
		       const struct snapshot *snapshot)
{
	char text[TEXT_NUMBER_SIZE];

	text_size(text, snapshot->period, false);
	if (snapshot_is_sampled(snapshot))
		fprintf(part->out, "the %s snapshot is sampled every %s",
			which, text);
	else
		fprintf(part->out, "the %s snapshot is exact", which);
}

static void note_periods(const struct text_part *part, bool *first)
{
	const struct snapshot *before = part->growth->before;
	const struct snapshot *after = part->growth->after;

	if (!before || before->period == after->period ||
	    (!snapshot_is_sampled(before) && !snapshot_is_sampled(after)))
		return;
	start_note(part, first);
	put_period(part, "old", before);
	fputs(", ", part->out);
	put_period(part, "new", after);
	putc('\n', part->out);
}

static void note_agent(const struct text_part *part, bool *first)
{
	const struct snapshot *after = part->growth->after;
	char text[TEXT_NUMBER_SIZE];

	if (after->drops > 0) {
		start_note(part, first);
		text_count(text, after->drops, false);
		fprintf(part->out,
			"the agent could not record %s events: figures are "
			"lower than the truth\n",
			text);
	}
	if (after->different_stacks > 0) {
		start_note(part, first);
		text_count(text, after->different_stacks, false);
		fprintf(part->out,
			"the agent verified its stacks, and %s came out "
			"differently: some callsites may be wrong; please "
			"report this\n",
			text);
	}
	if (strcmp(after->heap, LA_HEAP_UNTRACKED) == 0) {
		start_note(part, first);
		fputs("the program brings its own malloc, and calls of it do "
		      "not reach the agent: there is no heap here\n",
		      part->out);
	}
	if (*after->tracking && strcmp(after->tracking, "on") != 0) {
		start_note(part, first);
		fputs("tracking is ", part->out);
		text_put(part->out, after->tracking);
		fputs(": what was allocated then is missing\n", part->out);
	}
}

/* ---- memory that is not live ---- */

/* What a process has in memory that no file stands behind, and why. */
struct residence {
	int64_t rss; /* anonymous where that is known */
	int64_t live, agent;
};

static bool find_residence(const struct snapshot *snapshot,
			   struct residence *residence)
{
	residence->rss = snapshot->rss_anon_bytes != SNAPSHOT_UNKNOWN ?
				 snapshot->rss_anon_bytes :
				 snapshot->rss_bytes;
	residence->live = snapshot->totals[KIND_HEAP][LA_INUSE_SPACE] +
			  snapshot->totals[KIND_MMAP][LA_INUSE_SPACE];
	residence->agent = snapshot->agent_bytes == SNAPSHOT_UNKNOWN ?
				   0 :
				   snapshot->agent_bytes;
	return residence->rss != SNAPSHOT_UNKNOWN;
}

/*
 * Resident memory that is not live is the allocator's, which keeps what was
 * freed, or is invisible to the agent: no leak that rows could show.
 */
static void note_rss(const struct text_part *part, bool *first)
{
	const struct snapshot *before = part->growth->before;
	struct residence now, old = {0, 0, 0};
	char rss[TEXT_NUMBER_SIZE], live[TEXT_NUMBER_SIZE];
	char rest[TEXT_NUMBER_SIZE];
	int64_t explained;

	if (!find_residence(part->growth->after, &now) ||
	    (before && (!part->growth->same_process ||
			!find_residence(before, &old))))
		return;
	now.rss -= old.rss;
	now.live -= old.live;
	explained = now.live + now.agent - old.agent;
	if (now.rss - explained < RSS_NOTE_MINIMUM || explained > now.rss / 2)
		return;
	text_size(rss, now.rss, false);
	text_size(live, now.live, before);
	text_size(rest, now.rss - explained, false);
	start_note(part, first);
	fprintf(part->out,
		before ? "resident memory grew by %s, live memory by %s: "
			 "%s of it" :
			 "of %s resident memory %s are live: %s",
		rss, live, rest);
	fputs(" is freed memory that the allocator keeps, or memory that the "
	      "agent cannot see\n",
	      part->out);
}

/* ---- stacks and symbols ---- */

/* Does the stack end in this marker frame? */
static bool is_marked(const struct resolver *resolver,
		      const struct stack *stack, const char *marker)
{
	const struct frame *outermost;

	if (!stack->depth)
		return false;
	outermost = &resolver->stacks->frames[stack->frames[stack->depth - 1]];
	return outermost->source_count && outermost->sources[0].function &&
	       !strcmp(outermost->sources[0].function, marker);
}

/* What is live of the stacks that the agent's memory had no room for. */
static void note_untracked(const struct text_part *part, bool *first)
{
	const struct growth *growth = part->growth;
	const struct resolver *resolver = part->report->resolver;
	bool found = false;
	int64_t bytes = 0;
	char text[TEXT_NUMBER_SIZE];

	for (size_t i = 0; i < growth->change_count; i++) {
		const struct change *change = &growth->changes[i];

		if (!is_marked(resolver,
			       &resolver->stacks->stacks[change->stack],
			       LA_FRAME_UNTRACKED))
			continue;
		found = true;
		bytes += change->values.after[LA_INUSE_SPACE];
	}
	if (!found)
		return;
	start_note(part, first);
	text_size(text, bytes, false);
	fprintf(part->out,
		"%s live in " LA_FRAME_UNTRACKED ": the agent's memory limit "
		"had no room for their stacks; raise its `memory` option to "
		"see them\n",
		text);
}

static void note_truncated(const struct text_part *part, bool *first)
{
	const struct growth *growth = part->growth;
	const struct resolver *resolver = part->report->resolver;
	size_t truncated = 0;

	for (size_t i = 0; i < growth->change_count; i++) {
		const struct change *change = &growth->changes[i];

		truncated += is_marked(
			resolver, &resolver->stacks->stacks[change->stack],
			LA_FRAME_TRUNCATED);
	}
	if (!truncated)
		return;
	start_note(part, first);
	fprintf(part->out,
		"%zu of %zu stacks are truncated: they were deeper than the "
		"agent's depth\n",
		truncated, growth->change_count);
}

/* How it starts and ends around the names of the modules. */
struct symbol_note {
	enum module_state state;
	const char *start, *end;
};

static const struct symbol_note symbol_notes[] = {
	{MODULE_SYMBOLS, "no line numbers for",
	 "install their debug symbols, or set DEBUGINFOD_URLS"},
	{MODULE_NO_SYMBOLS, "no symbols in",
	 "install their debug symbols, or name a folder with --symbols"},
	{MODULE_NOT_FOUND, "not found here:",
	 "--sysroot or --symbols tell where they are"},
	{MODULE_OTHER_BUILD, "another build here than in the snapshot:",
	 "symbols of a wrong build would mislead and are not used"},
	{MODULE_UNREADABLE, "cannot be read for symbols:",
	 "damaged, or no ELF file"},
};

/* What no file stands behind, such as [vdso], cannot have symbols. */
static bool is_in_state(const struct module *module, enum module_state state)
{
	return module->symbols && module->path[0] == '/' &&
	       symbol_module_state(module->symbols) == state;
}

static void note_modules(const struct text_part *part,
			 const struct symbol_note *note, bool *first)
{
	const struct stacks *stacks = part->report->resolver->stacks;
	size_t count = 0;

	for (size_t i = 0; i < stacks->module_count; i++) {
		if (!is_in_state(&stacks->modules[i], note->state))
			continue;
		if (++count > MODULES_NAMED)
			continue;
		if (count == 1) {
			start_note(part, first);
			fprintf(part->out, "%s ", note->start);
		} else {
			fputs(", ", part->out);
		}
		text_put(part->out, stacks->modules[i].path);
	}
	if (count > MODULES_NAMED)
		fprintf(part->out, " and %zu more", count - MODULES_NAMED);
	if (count)
		fprintf(part->out, " (%s)\n", note->end);
}

void text_notes(const struct text_part *part)
{
	bool first = true;

	note_pair(part, &first);
	note_periods(part, &first);
	note_agent(part, &first);
	note_rss(part, &first);
	note_untracked(part, &first);
	note_truncated(part, &first);
}

void text_symbol_notes(const struct text_part *part)
{
	bool first = true;

	for (size_t i = 0; i < sizeof(symbol_notes) / sizeof(*symbol_notes);
	     i++)
		note_modules(part, &symbol_notes[i], &first);
}
