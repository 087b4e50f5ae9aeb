/* Prints control pages; see show.h. */
#define _GNU_SOURCE /* sigabbrev_np */
#include "scripts/control/show.h"

#include "scripts/control/text.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)

/* "12.3 MiB", as leakdiff writes sizes. */
static const char *size_text(uint64_t bytes, char text[32])
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double value = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		snprintf(text, 32, "%" PRIu64 " B", bytes);
		return text;
	}
	while (value >= 1023.95 && unit < sizeof(units) / sizeof(*units) - 1) {
		value /= 1024;
		unit++;
	}
	snprintf(text, 32, "%.1f %s", value, units[unit]);
	return text;
}

static const char *signal_text(const struct la_control_page *page,
			       char text[64])
{
	const char *name = sigabbrev_np(page->signal);
	char number[32];

	if (!name) {
		if (page->signal >= SIGRTMIN && page->signal <= SIGRTMAX)
			snprintf(number, sizeof(number), "RTMIN+%d",
				 page->signal - SIGRTMIN);
		else
			snprintf(number, sizeof(number), "%d", page->signal);
		name = number;
	}
	if (page->signal_state == LA_SIGNAL_OURS)
		snprintf(text, 64, "%s", name);
	else if (page->signal_state == LA_SIGNAL_TAKEN_BY_HOST)
		snprintf(text, 64, "%s taken-by-host", name);
	else
		snprintf(text, 64, "off");
	return text;
}

/* RFC 3339 in UTC. */
static const char *time_text(uint64_t ns, char text[40])
{
	time_t seconds = (time_t)(ns / NS_PER_S);
	struct tm parts;

	if (!gmtime_r(&seconds, &parts) ||
	    !strftime(text, 40, "%Y-%m-%dT%H:%M:%SZ", &parts))
		snprintf(text, 40, "?");
	return text;
}

void show_heading(void)
{
	printf("%7s  %-15s %-8s %-18s %10s %10s %5s  %s\n", "PID", "COMMAND",
	       "TRACKING", "SIGNAL", "LIVE", "OBJECTS", "SNAPS",
	       "LAST SNAPSHOT");
}

void show_row(const struct process *process,
	      const struct la_control_page *page)
{
	char name[64], live[32], signal_name[64];

	process_name(process, name, sizeof(name));
	printf("%7ld  ", (long)process->pid);
	print_text(stdout, name, sizeof(name));
	printf("%*s ", strlen(name) < 15 ? (int)(15 - strlen(name)) : 0, "");
	if (!page) {
		printf("%-8s %-18s %10s %10s %5s  -\n", "inactive", "-", "-",
		       "-", "-");
		return;
	}
	printf("%-8s %-18s %10s %10" PRIu64 " %5" PRIu32 "  ",
	       page->tracking ? "on" : "off", signal_text(page, signal_name),
	       size_text(page->live_bytes, live), page->live_objects,
	       page->snapshots);
	print_text(stdout, page->last_snapshot[0] ? page->last_snapshot : "-",
		   sizeof(page->last_snapshot));
	putchar('\n');
}

static void show_field(const char *name, const char *text, size_t room)
{
	printf("%-14s ", name);
	print_text(stdout, text, room);
	putchar('\n');
}

/* What blocks are recorded, and what the limit of memory has made of that. */
static void show_sampling(const struct la_control_page *page)
{
	char size[32];

	if (!page->sample)
		printf("%-14s every block", "records");
	else
		printf("%-14s a block in %s", "records",
		       size_text(page->sample, size));
	if (page->coarsest > page->sample)
		printf("; one in %s since the memory limit was reached",
		       size_text(page->coarsest, size));
	putchar('\n');
}

static void show_memory(const struct la_control_page *page)
{
	char size[32];

	printf("%-14s %s", "agent memory", size_text(page->agent_bytes, size));
	if (page->agent_limit)
		printf(" of at most %s", size_text(page->agent_limit, size));
	putchar('\n');
}

static void show_counts(const struct la_control_page *page)
{
	char size[32], when[40];

	printf("%-14s %s (%" PRIu64 " bytes) in %" PRIu64 " objects, at %s\n",
	       "live", size_text(page->live_bytes, size), page->live_bytes,
	       page->live_objects, time_text(page->updated_ns, when));
	printf("%-14s %" PRIu32 "\n", "snapshots", page->snapshots);
	if (page->interval_ns)
		printf("%-14s %.9g s\n", "interval",
		       (double)page->interval_ns / (double)NS_PER_S);
	else
		printf("%-14s off\n", "interval");
	show_sampling(page);
	show_memory(page);
	printf("%-14s %" PRIu64 "\n", "drops", page->drops);
}

void show_status(const struct process *process,
		 const struct la_control_page *page)
{
	char signal_name[64], when[40];

	printf("%-14s %ld\n", "pid", (long)process->pid);
	show_field("command", page->command, sizeof(page->command));
	printf("%-14s %s\n", "started", time_text(page->start_ns, when));
	show_field("agent", page->version, sizeof(page->version));
	show_field("allocator", page->allocator, sizeof(page->allocator));
	printf("%-14s %s\n", "tracking", page->tracking ? "on" : "off");
	printf("%-14s %s\n", "signal", signal_text(page, signal_name));
	show_counts(page);
	show_field("last snapshot",
		   page->last_snapshot[0] ? page->last_snapshot : "none",
		   sizeof(page->last_snapshot));
	show_field("problem", page->problem[0] ? page->problem : "none",
		   sizeof(page->problem));
}
