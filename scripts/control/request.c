/*
 * The requester's side of agent/format/control_page.h. A process that is
 * stopped, ends, executes another program, or hangs is told apart, so that
 * nobody waits in vain.
 */
#define _GNU_SOURCE /* strerrordesc_np */
#include "scripts/control/request.h"

#include "scripts/control/text.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* How long a process that lives may take; and how often to see if it does. */
#define PATIENCE_SECONDS 120
#define LOOK_EVERY_MS 200

static void futex_wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void futex_wait(uint32_t *word, uint32_t value)
{
	struct timespec limit = { .tv_nsec = LOOK_EVERY_MS * 1000000L };

	syscall(SYS_futex, word, FUTEX_WAIT, value, &limit, NULL, 0);
}

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static uint32_t post(struct la_control_page *page, enum la_verb verb)
{
	uint32_t number = __atomic_load_n(&page->request, __ATOMIC_RELAXED) + 1;

	page->verb = verb;
	__atomic_store_n(&page->request, number, __ATOMIC_RELEASE);
	__atomic_add_fetch(&page->wake, 1, __ATOMIC_RELEASE);
	futex_wake(&page->wake);
	return number;
}

enum hope { MAY_ANSWER, ENDED, STOPPED, REPLACED, TOO_LATE };

/* Whether it is worth waiting on, for one that has the page open as `fd`. */
static enum hope hope_for(const struct process *process, int fd, time_t since)
{
	char state = process_state(process);

	if (!state)
		return ENDED;
	if (state == 'T' || state == 't')
		return STOPPED;
	if (!process_has_page(process, fd))
		return REPLACED;
	return seconds() - since < PATIENCE_SECONDS ? MAY_ANSWER : TOO_LATE;
}

static void complain_why(enum hope hope, long pid)
{
	if (hope == ENDED)
		complain("process %ld ended before it answered", pid);
	else if (hope == STOPPED)
		complain("process %ld is stopped: it answers once it is "
			 "continued (kill -CONT %ld)", pid, pid);
	else if (hope == REPLACED)
		complain("process %ld replaced its program, or its agent, "
			 "before it answered: try again", pid);
	else
		complain("the agent in process %ld has not answered in %d s",
			 pid, PATIENCE_SECONDS);
}

static uint32_t last_answer(const struct la_control_page *page)
{
	return __atomic_load_n(&page->answered, __ATOMIC_ACQUIRE);
}

static int wait_for_answer(const struct process *process, int fd,
			   struct la_control_page *page, uint32_t number)
{
	time_t since = seconds();
	uint32_t answered;
	enum hope hope;

	while ((answered = last_answer(page)) != number) {
		futex_wait(&page->answered, answered);
		if (last_answer(page) == number)
			break;
		hope = hope_for(process, fd, since);
		/* It may have ended just after it answered. */
		if (hope != MAY_ANSWER && last_answer(page) != number) {
			complain_why(hope, process->pid);
			return 1;
		}
	}
	return 0;
}

/* One requester at a time; the one before us may be waiting. */
static int lock_page(const struct process *process, int fd)
{
	time_t since = seconds();
	enum hope hope;

	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR) {
			complain("cannot lock the control page of process %ld:"
				 " %s", (long)process->pid, strerror(errno));
			return 1;
		}
		hope = hope_for(process, fd, since);
		if (hope != MAY_ANSWER) {
			complain_why(hope, process->pid);
			return 1;
		}
		usleep(LOOK_EVERY_MS * 1000 / 10);
	}
	return 0;
}

/* Its process may be hostile, and cut the page off while we look. */
static void page_is_gone(int signal)
{
	static const char text[] =
		"leakagent: the process took its control page away: that is "
		"no agent\n";

	ssize_t told = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)signal;
	(void)told;
	_exit(1);
}

static const char *result_text(int32_t result)
{
	const char *text = result > -4096 && result < 0 ?
				   strerrordesc_np(-result) : NULL;

	return text ? text : "for a reason that it does not tell";
}

int request(const struct process *process, int fd, enum la_verb verb,
	    struct la_control_page *page)
{
	struct la_control_page *shared;
	int failed;

	if (lock_page(process, fd))
		return 1;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED,
		      fd, 0);
	if (shared == MAP_FAILED) {
		complain("cannot map the control page of process %ld: %s",
			 (long)process->pid, strerror(errno));
		return 1;
	}
	signal(SIGBUS, page_is_gone);
	failed = wait_for_answer(process, fd, shared, post(shared, verb));
	*page = *shared;
	munmap(shared, sizeof(*shared));
	if (!failed && page->result) {
		complain("the agent in process %ld could not: %s",
			 (long)process->pid, result_text(page->result));
		failed = 1;
	}
	return failed;
}
