/*
 * leakdiff: names the callsites whose live memory grew between snapshots.
 *
 *   series (folder, profile, snapshot, stacks) -> growth (callsite, rows)
 *     -> report_*
 *
 * Everything is loaded and ranked before the first byte is written. This is
 * the only file that prints errors and decides on the exit status.
 */
#include "diff/estimate.h"
#include "diff/growth.h"
#include "diff/options.h"
#include "diff/output.h"
#include "diff/report.h"
#include "diff/text.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_OVER = 1, EXIT_TROUBLE = 2 };

struct run {
	struct options options;
	struct stacks stacks;
	struct series_set set;
	struct resolver resolver;
	struct focus focus;
	struct growth *growths;
};

static int trouble(const struct error *error)
{
	char *safe = text_escape(error->text);

	if (*safe)
		fprintf(stderr, "leakdiff: %s\n", safe);
	free(safe);
	return EXIT_TROUBLE;
}

/* Replacing a snapshot with a report about it would lose it. */
static int check_output(const struct run *run, struct error *error)
{
	const char *output = run->options.output;
	struct stat target, input;

	if (!output || stat(output, &target))
		return 0;
	for (size_t i = 0; i < run->set.snapshot_count; i++) {
		const char *path = run->set.snapshots[i].path;

		if (!stat(path, &input) && input.st_dev == target.st_dev &&
		    input.st_ino == target.st_ino)
			return error_set(error,
					 "-o %s: this is one of the snapshots",
					 output);
	}
	return 0;
}

static int check_terminal(const struct options *options, struct error *error)
{
	if (options->format == FORMAT_PPROF && !options->output &&
	    isatty(STDOUT_FILENO))
		return error_set(error, "--format pprof is binary: name a file "
					"with -o, or redirect it");
	return 0;
}

static int prepare(struct run *run, struct error *error)
{
	const struct options *options = &run->options;
	const struct symbolizer_options symbols = {
		.symbol_dirs = options->symbol_dirs,
		.sysroot = options->sysroot,
	};

	run->resolver.stacks = &run->stacks;
	if (check_terminal(options, error) ||
	    wrappers_load(&run->resolver.wrappers, options->wrappers, error) ||
	    focus_compile(&run->focus, options->focus, options->ignore, error))
		return -1;
	run->options.growth.focus = &run->focus;
	run->resolver.symbolizer = symbolizer_new(&symbols);
	if (!run->resolver.symbolizer)
		return error_set(error, "out of memory");
	return 0;
}

/* A profile of Go's older programs may measure only what is in use. */
static int check_sample(const struct run *run, struct error *error)
{
	static const char *const names[] = LA_SAMPLE_TYPE_NAMES;
	enum la_sample_type sample = run->options.growth.sample;

	for (size_t i = 0; i < run->set.snapshot_count; i++) {
		if (!run->set.snapshots[i].has[sample])
			return error_set(error, "%s: does not measure %s",
					 run->set.snapshots[i].path,
					 names[sample]);
	}
	return 0;
}

static int rank_all(struct run *run, struct error *error)
{
	run->growths = memory_alloc(run->set.count, sizeof(*run->growths));
	for (size_t i = 0; i < run->set.count; i++) {
		if (growth_rank(&run->growths[i], &run->set.series[i],
				&run->options.growth, &run->resolver, error))
			return -1;
	}
	return 0;
}

static int write_report(struct run *run, struct error *error)
{
	static void (*const reports[])(const struct report *, FILE *) = {
		[FORMAT_TEXT] = report_text,
		[FORMAT_JSON] = report_json,
		[FORMAT_CSV] = report_csv,
		[FORMAT_FOLDED] = report_folded,
		[FORMAT_PPROF] = report_pprof,
	};
	struct report report = {
		.options = &run->options,
		.set = &run->set,
		.growths = run->growths,
		.resolver = &run->resolver,
	};
	struct output output;

	if (output_open(&output, run->options.output, error))
		return -1;
	if (!run->options.output && isatty(STDOUT_FILENO)) {
		report.width = text_terminal_width();
		report.colours = text_colours_wanted();
	}
	reports[run->options.format](&report, output.stream);
	return output_close(&output, error);
}

/*
 * Processes that shrank make no room for others to grow. Of a sampled one
 * counts what it certainly grew by, so that a run does not fail by chance.
 */
static bool is_over(const struct run *run)
{
	int64_t sum = 0;

	if (run->options.fail_over == OPTIONS_NONE)
		return false;
	for (size_t i = 0; i < run->set.count; i++) {
		struct figure selected = growth_selected(
			&run->growths[i], run->options.growth.sample);
		int64_t grown = estimate_at_least(selected.amount,
						  selected.variance);

		if (grown > 0 && __builtin_add_overflow(sum, grown, &sum))
			return true;
	}
	return sum > run->options.fail_over;
}

static int run_all(struct run *run, struct error *error)
{
	const struct options *options = &run->options;

	if (prepare(run, error) ||
	    series_load(&run->set, options->inputs, options->input_count,
			&options->series, &run->stacks, error) ||
	    check_output(run, error) || check_sample(run, error) ||
	    rank_all(run, error) || write_report(run, error))
		return trouble(error);
	return is_over(run) ? EXIT_OVER : EXIT_SUCCESS;
}

static int print_and_leave(const char *text, struct error *error)
{
	struct output output;

	output_open(&output, NULL, error);
	fputs(text, output.stream);
	return output_close(&output, error) ? trouble(error) : EXIT_SUCCESS;
}

static void release(struct run *run)
{
	for (size_t i = 0; run->growths && i < run->set.count; i++)
		growth_free(&run->growths[i]);
	free(run->growths);
	series_free(&run->set);
	resolver_free(&run->resolver);
	symbolizer_free(run->resolver.symbolizer);
	focus_free(&run->focus);
	stacks_free(&run->stacks);
	options_free(&run->options);
}

int main(int argc, char **argv)
{
	struct run run = {0};
	struct error error;
	int status;

	/* A reader that has gone is trouble like a full disk. */
	signal(SIGPIPE, SIG_IGN);
	if (options_parse(&run.options, argc, argv, &error))
		status = trouble(&error);
	else if (run.options.help)
		status = print_and_leave(usage_text, &error);
	else if (run.options.version)
		status = print_and_leave("leakdiff " LEAKAGENT_VERSION "\n",
					 &error);
	else
		status = run_all(&run, &error);
	release(&run);
	return status;
}
