/* See control.h. */

#define _GNU_SOURCE /* memfd_create */

#include "agent/control.h"

#include "agent/format/control_page.h"
#include "agent/format/keys.h"
#include "agent/memory.h"
#include "agent/process.h"
#include "agent/real.h"
#include "agent/sampler.h"
#include "agent/signals.h"
#include "agent/snapshot.h"
#include "agent/state.h"
#include "agent/system.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct la_control_page *page;
static uint32_t serving; /* the request that is being answered */

static void set_text(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text);
}

static void refresh_status(void)
{
	struct la_snapshot snapshot;

	page->tracking = la_mode_now() == LA_MODE_ON;
	page->signal_state = la_signals_state();
	page->agent_bytes = la_memory_bytes();
	page->drops = la_drops();
	if (la_snapshot_take(&snapshot))
		return;
	page->coarsest = snapshot.interval;
	page->live_bytes = snapshot.live_bytes;
	page->live_objects = snapshot.live_objects;
	page->updated_ns = la_clock_utc();
	la_snapshot_free(&snapshot);
}

uint32_t *la_control_open(const struct la_options *options)
{
	/* Stays open: the descriptor is how others find the page. */
	int fd = memfd_create(LA_CONTROL_NAME, MFD_CLOEXEC);
	void *memory;

	if (fd < 0)
		return NULL;
	if (ftruncate(fd, sizeof(*page))) {
		close(fd);
		return NULL;
	}
	memory = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED,
		      fd, 0);
	if (memory == MAP_FAILED) {
		close(fd);
		return NULL;
	}
	page = memory;
	page->pid = la_process.pid;
	page->signal = options->signal;
	page->start_ns = la_process.start_ns;
	page->interval_ns = options->interval;
	page->agent_limit = la_memory_limit();
	page->sample = la_sampler_interval;
	set_text(page->command, sizeof(page->command), la_process.command);
	set_text(page->version, sizeof(page->version), LEAKAGENT_VERSION);
	snprintf(page->allocator, sizeof(page->allocator), "%s%s",
		 la_real_allocator(),
		 la_real_passed_by() ? " (heap not tracked: calls of malloc "
				       "do not reach the agent)" :
				       "");
	refresh_status();
	__atomic_store_n(&page->magic, LA_CONTROL_MAGIC, __ATOMIC_RELEASE);
	return &page->wake;
}

uint32_t la_control_pending(void)
{
	if (!page)
		return LA_VERB_NONE;
	serving = __atomic_load_n(&page->request, __ATOMIC_ACQUIRE);
	return serving == page->answered ? LA_VERB_NONE : page->verb;
}

void la_control_answer(int result)
{
	refresh_status();
	page->result = result;
	__atomic_store_n(&page->answered, serving, __ATOMIC_RELEASE);
	la_sys_futex_wake(&page->answered, INT_MAX);
}

void la_control_report(const char *problem, const char *path)
{
	if (!page)
		return;
	if (problem) {
		snprintf(page->problem, sizeof(page->problem),
			 "no snapshot: %s", problem);
		return;
	}
	page->snapshots++;
	page->problem[0] = '\0';
	set_text(page->last_snapshot, sizeof(page->last_snapshot), path);
}

void la_control_after_fork(void)
{
	if (page)
		la_sys_munmap(page, sizeof(*page));
	page = NULL;
}
