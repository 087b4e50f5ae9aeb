/*
 * leakagent-control: the part of `leakagent` that looks into programs and
 * processes. The command line is checked by scripts/leakagent, which is what
 * people call; here it is one verb and its arguments.
 *
 *   run LIBRARY PROGRAM [ARGUMENT]...   list   version
 *   status PID   snapshot PID   on PID   off PID
 *   complain TEXT, for what that script has to say
 */
#include "agent/format/keys.h"
#include "scripts/control/preload.h"
#include "scripts/control/process.h"
#include "scripts/control/request.h"
#include "scripts/control/show.h"
#include "scripts/control/text.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define USAGE_ERROR 2

/* A pid, or 0 for what is none. */
static pid_t parse_pid(const char *text)
{
	char *end;
	long pid = strtol(text, &end, 10);

	return *text >= '0' && *text <= '9' && !*end && pid <= INT_MAX
		       ? (pid_t)pid : 0;
}

static void explain_no_page(const struct process *process, int error)
{
	char name[64];

	process_name(process, name, sizeof(name));
	if (!process_state(process))
		complain("process %ld has ended", (long)process->pid);
	else if (error == -EACCES || error == -EPERM)
		complain("not allowed to look into process %ld (%s): use its "
			 "user or root", (long)process->pid, name);
	else if (error == -ENOENT && process_carries_agent(process) == 1)
		complain("process %ld (%s) carries the agent, but it is not "
			 "active there: its options exclude it, another tool "
			 "watches that program, or it is starting",
			 (long)process->pid, name);
	else if (error == -EPROTO)
		complain("the agent in process %ld (%s) is starting, or of "
			 "another version: try again, or use its leakagent",
			 (long)process->pid, name);
	else if (error == -ENOENT)
		complain("process %ld (%s) does not carry the agent: start it "
			 "with leakagent run", (long)process->pid, name);
	else
		complain("cannot read the control page of process %ld (%s): "
			 "%s", (long)process->pid, name, strerror(-error));
}

static int show_one(const struct process *process, int fd,
		    struct la_control_page *page)
{
	char state = process_state(process);

	/* One that is stopped cannot bring it up to date. */
	if (state != 'T' && state != 't' &&
	    request(process, fd, LA_VERB_STATUS, page))
		return 1;
	show_status(process, page);
	return 0;
}

static int take_snapshot(const struct process *process, int fd,
			 struct la_control_page *page)
{
	if (request(process, fd, LA_VERB_SNAPSHOT, page))
		return 1;
	print_text(stdout, page->last_snapshot, sizeof(page->last_snapshot));
	putchar('\n');
	return 0;
}

static int turn_on(const struct process *process, int fd,
		   struct la_control_page *page)
{
	return request(process, fd, LA_VERB_ON, page);
}

static int turn_off(const struct process *process, int fd,
		    struct la_control_page *page)
{
	return request(process, fd, LA_VERB_OFF, page);
}

/* What is done to one process, given its page open and as it is now. */
static const struct verb {
	const char *name;
	int (*act)(const struct process *process, int fd,
		   struct la_control_page *page);
} verbs[] = {
	{ "status", show_one },
	{ "snapshot", take_snapshot },
	{ "on", turn_on },
	{ "off", turn_off },
};

static int act_on_page(const struct verb *verb, const struct process *process)
{
	int fd = process_open_page(process, true);
	int error = fd < 0 ? fd : 0, status = 1;
	struct la_control_page page;

	if (!error)
		error = page_copy(fd, &page);
	if (error)
		explain_no_page(process, error);
	else
		status = verb->act(process, fd, &page);
	if (fd >= 0)
		close(fd);
	return status;
}

static int act_on(const struct verb *verb, const char *pid_text)
{
	struct process process;
	pid_t pid = parse_pid(pid_text);
	int error, status;

	if (!pid) {
		complain("%s is not a pid", pid_text);
		return USAGE_ERROR;
	}
	error = process_open(pid, &process);
	if (error) {
		complain(error == -ENOENT ? "there is no process %ld"
					  : "cannot look into process %ld",
			 (long)pid);
		return 1;
	}
	status = act_on_page(verb, &process);
	process_close(&process);
	return status;
}

static void list_one(const struct process *process)
{
	struct la_control_page page;
	int fd;

	if (process_carries_agent(process) != 1)
		return;
	fd = process_open_page(process, false);
	if (fd < 0) {
		show_row(process, NULL);
		return;
	}
	show_row(process, page_copy(fd, &page) == 0 ? &page : NULL);
	close(fd);
}

static int list_all(void)
{
	struct process process;
	struct dirent *entry;
	DIR *all = opendir("/proc");
	pid_t pid;

	if (!all) {
		complain("cannot read /proc: %s", strerror(errno));
		return 1;
	}
	show_heading();
	while ((entry = readdir(all))) {
		pid = parse_pid(entry->d_name);
		if (pid && process_open(pid, &process) == 0) {
			list_one(&process);
			process_close(&process);
		}
	}
	closedir(all);
	return 0;
}

static int dispatch(int count, char **words)
{
	size_t i;

	if (count >= 4 && strcmp(words[1], "run") == 0)
		return preload_and_run(words[2], words + 3);
	if (count == 2 && strcmp(words[1], "list") == 0)
		return list_all();
	if (count == 2 && strcmp(words[1], "version") == 0) {
		puts("leakagent " LEAKAGENT_VERSION);
		return 0;
	}
	if (count == 3 && strcmp(words[1], "complain") == 0) {
		complain("%s", words[2]);
		return 0;
	}
	for (i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (count == 3 && strcmp(words[1], verbs[i].name) == 0)
			return act_on(&verbs[i], words[2]);
	complain("leakagent-control is called by leakagent only");
	return USAGE_ERROR;
}

int main(int count, char **words)
{
	int status = dispatch(count, words);

	if (fflush(stdout) || ferror(stdout)) {
		complain("cannot write the answer: %s", strerror(errno));
		return 1;
	}
	return status;
}
