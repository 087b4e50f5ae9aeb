/*
 * What the rows of a kind add up to, and the line above their table that says
 * so.
 */
#include "diff/estimate.h"
#include "diff/report_text.h"
#include "diff/text.h"

/* ---- counting ---- */

bool text_growth_is_noise(const struct row *row, enum la_sample_type sample)
{
	return estimate_is_noise(growth_of(&row->values, sample),
				 row->values.variance.growth[sample]);
}

static void add_to_tally(struct text_tally *tally, const struct row *row,
			 enum la_sample_type sample)
{
	tally->rows++;
	tally->sum.amount += growth_of(&row->values, sample);
	tally->sum.variance += row->values.variance.growth[sample];
}

/* With --cum rows overlap: what they are shares of is the sum of stacks. */
static int64_t grown_stacks(const struct text_part *part, enum kind kind,
			    enum la_sample_type sample)
{
	const struct growth *growth = part->growth;
	const struct stacks *stacks = part->report->resolver->stacks;
	int64_t sum = 0;

	for (size_t i = 0; i < growth->change_count; i++) {
		const struct change *change = &growth->changes[i];
		int64_t grown = growth_of(&change->values, sample);

		if (grown > 0 && stacks->stacks[change->stack].kind == kind)
			sum += grown;
	}
	return sum;
}

void text_sums_count(struct text_sums *sums, const struct text_part *part,
		     enum kind kind, enum la_sample_type sample)
{
	const struct growth *growth = part->growth;

	*sums = (struct text_sums){0};
	for (size_t i = 0; i < growth->row_count; i++) {
		const struct row *row = &growth->rows[i];
		int64_t change = growth_of(&row->values, sample);

		if (row->kind != kind || !change)
			continue;
		if (text_growth_is_noise(row, sample)) {
			sums->noise_rows++;
			sums->noise_grown_rows += change > 0;
		} else {
			add_to_tally(change > 0 ? &sums->grown : &sums->shrunk,
				     row, sample);
		}
	}
	if (part->report->options->growth.cumulative)
		sums->grown.sum.amount = grown_stacks(part, kind, sample);
}

/* ---- the line ---- */

const char *text_noun(const struct text_part *part, size_t count)
{
	static const char *const nouns[][2] = {
		[BY_CALLSITE] = {"callsite", "callsites"},
		[BY_STACK] = {"stack", "stacks"},
		[BY_FUNCTION] = {"function", "functions"},
		[BY_LINE] = {"line", "lines"},
		[BY_FILE] = {"file", "files"},
		[BY_MODULE] = {"module", "modules"},
	};

	return nouns[part->report->options->growth.by][count != 1];
}

/* With --cum rows overlap, and their sum means nothing. */
static void put_sum(const struct text_part *part, const char *before,
		    const struct figure *sum, enum la_sample_type sample)
{
	char amount[TEXT_NUMBER_SIZE], margin[TEXT_NUMBER_SIZE];

	if (part->report->options->growth.cumulative)
		return;
	text_amount(amount, sum->amount < 0 ? -sum->amount : sum->amount,
		    sample, false);
	text_margin(margin, sum->variance, sample);
	fprintf(part->out, "%s%s%s%s", before, amount, *margin ? " " : "",
		margin);
}

static void put_grown(const struct text_sums *sums,
		      const struct text_part *part,
		      enum la_sample_type sample)
{
	const struct text_tally *grown = &sums->grown;
	bool pair = part->growth->before;

	if (grown->rows) {
		fprintf(part->out, "%zu %s %s", grown->rows,
			text_noun(part, grown->rows), pair ? "grew" : "live");
		put_sum(part, pair ? " by " : ", ", &grown->sum, sample);
	} else {
		fputs(pair ? "nothing grew" : "nothing is live", part->out);
		fputs(sums->noise_rows ? " for certain" : "", part->out);
	}
}

void text_headline(const struct text_sums *sums, const struct text_part *part,
		   enum kind kind, enum la_sample_type sample)
{
	const struct text_tally *shrunk = &sums->shrunk;

	putc('\n', part->out);
	text_style(part, STYLE_BOLD);
	fprintf(part->out, "%s: ", kind_name(kind));
	text_style(part, STYLE_PLAIN);
	put_grown(sums, part, sample);
	if (shrunk->rows) {
		fprintf(part->out, ", %zu %s shrank", shrunk->rows,
			text_noun(part, shrunk->rows));
		put_sum(part, " by ", &shrunk->sum, sample);
	}
	if (sums->noise_rows)
		fprintf(part->out, ", %zu %s within noise", sums->noise_rows,
			text_noun(part, sums->noise_rows));
	putc('\n', part->out);
}
