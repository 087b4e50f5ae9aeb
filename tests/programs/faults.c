/*
 * Runs a program that carries the agent and makes system calls of the agent's
 * fail, none of the program's own.
 *
 * usage: faults LIBRARY LOG list PROGRAM [ARGUMENT...]
 *                   writes the number of each such call to LOG, and "agent" or
 *                   "host" for the thread that makes it
 *        faults LIBRARY LOG fail COUNT ERRNO PROGRAM...   that one fails so
 *        faults LIBRARY LOG refuse CALL ERRNO PROGRAM...  each call of that
 *                   number does
 *        faults LIBRARY LOG kill COUNT - PROGRAM...       before that one, the
 *                   process is killed
 * LIBRARY is what to preload, the agent first. Ends as the program does.
 *
 * The agent's are: all calls of its thread, known by the name that it gives
 * itself; calls by instructions of the agent; and what the main thread does
 * from the first of those on until the agent's thread is made, or the program
 * reads or writes a standard stream: what is run here has no constructors.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_THREADS = 4096, AGENT_NAME = 8 };

static enum { LIST, FAIL, REFUSE, KILL } mode;
static unsigned long wanted;
static long wanted_errno;
static FILE *calls_log;
static unsigned long calls;

static struct thread {
	pid_t id;
	bool of_agent;
	bool failing; /* its call is to fail when it returns */
} threads[MOST_THREADS];
static unsigned thread_count;

static pid_t program;
static enum { BEFORE, BOOTING, BOOTED } phase;

static struct thread *thread_of(pid_t id)
{
	for (unsigned i = 0; i < thread_count; i++)
		if (threads[i].id == id)
			return &threads[i];
	if (thread_count == MOST_THREADS)
		abort();
	threads[thread_count] = (struct thread){ .id = id };
	return &threads[thread_count++];
}

/* The instructions of the agent in a process, or in its child. */
static bool is_code_of_agent(pid_t id, uint64_t address)
{
	static uint64_t start, end;
	char path[64], line[4096], flags[8];
	FILE *maps;

	if (end)
		return address >= start && address < end;
	snprintf(path, sizeof(path), "/proc/%d/maps", id);
	maps = fopen(path, "r");
	while (maps && !end && fgets(line, sizeof(line), maps))
		if (!strstr(line, "/libleakagent.so") ||
		    sscanf(line, "%lx-%lx %7s", &start, &end, flags) != 3 ||
		    flags[2] != 'x')
			end = 0;
	if (maps)
		fclose(maps);
	return end && address >= start && address < end;
}

static bool names_itself(pid_t id, const struct __ptrace_syscall_info *info)
{
	long word;

	if (info->entry.nr != SYS_prctl || info->entry.args[0] != PR_SET_NAME)
		return false;
	word = ptrace(PTRACE_PEEKDATA, id, info->entry.args[1], NULL);
	return !memcmp(&word, "leakagent", AGENT_NAME);
}

static bool ends_boot(const struct __ptrace_syscall_info *info)
{
	uint64_t call = info->entry.nr;

	return call == SYS_clone3 ||
	       ((call == SYS_read || call == SYS_write) &&
		info->entry.args[0] <= STDERR_FILENO) ||
	       call == SYS_exit_group;
}

static bool is_of_agent(struct thread *thread,
			const struct __ptrace_syscall_info *info)
{
	bool by_agent = is_code_of_agent(thread->id, info->instruction_pointer);

	if (names_itself(thread->id, info))
		thread->of_agent = true;
	if (phase == BEFORE && by_agent && thread->id == program)
		phase = BOOTING;
	if (phase != BOOTING || thread->id != program)
		return by_agent || thread->of_agent;
	if (ends_boot(info)) {
		phase = BOOTED;
		return info->entry.nr == SYS_clone3;
	}
	return true;
}

static void note(const struct thread *thread,
		 const struct __ptrace_syscall_info *info)
{
	fprintf(calls_log, "%lu %s\n", (unsigned long)info->entry.nr,
		thread->of_agent ? "agent" : "host");
	fflush(calls_log);
}

static void begin_call(struct thread *thread,
		       const struct __ptrace_syscall_info *info)
{
	struct user_regs_struct registers;

	if (!is_of_agent(thread, info))
		return;
	calls++;
	if (mode == LIST)
		note(thread, info);
	if (mode == KILL && calls == wanted)
		kill(program, SIGKILL);
	if ((mode == FAIL && calls == wanted) ||
	    (mode == REFUSE && info->entry.nr == wanted)) {
		note(thread, info);
		ptrace(PTRACE_GETREGS, thread->id, NULL, &registers);
		registers.orig_rax = (unsigned long)-1;
		ptrace(PTRACE_SETREGS, thread->id, NULL, &registers);
		thread->failing = true;
	}
}

static void end_call(struct thread *thread)
{
	struct user_regs_struct registers;

	if (!thread->failing)
		return;
	thread->failing = false;
	ptrace(PTRACE_GETREGS, thread->id, NULL, &registers);
	registers.rax = (unsigned long)-wanted_errno;
	ptrace(PTRACE_SETREGS, thread->id, NULL, &registers);
}

static void at_call(struct thread *thread)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, thread->id, sizeof(info), &info) <=
	    0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		begin_call(thread, &info);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		end_call(thread);
}

/* The signal that the thread is to go on with. */
static int at_stop(pid_t id, int status)
{
	unsigned before = thread_count;
	struct thread *thread = thread_of(id);
	int number = WSTOPSIG(status);

	if (status >> 16) /* clone, fork, exec, ... */
		return 0;
	if (number == (SIGTRAP | 0x80)) {
		at_call(thread);
		return 0;
	}
	/* How a new one begins. */
	if (number == SIGSTOP && thread_count > before)
		return 0;
	return number;
}

/* How the program ended. */
static int trace(void)
{
	int status, result = 0;
	pid_t id;

	while ((id = waitpid(-1, &status, __WALL)) > 0) {
		if (!WIFSTOPPED(status)) {
			if (id == program)
				result = status;
			continue;
		}
		if (!thread_count)
			ptrace(PTRACE_SETOPTIONS, id, NULL,
			       PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL |
				       PTRACE_O_TRACECLONE |
				       PTRACE_O_TRACEFORK |
				       PTRACE_O_TRACEVFORK |
				       PTRACE_O_TRACEEXEC);
		ptrace(PTRACE_SYSCALL, id, NULL, at_stop(id, status));
	}
	return result;
}

static void become(const char *library, char **arguments)
{
	setenv("LD_PRELOAD", library, 1);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(126);
	raise(SIGSTOP);
	execv(arguments[0], arguments);
	_exit(127);
}

int main(int argc, char **argv)
{
	static const char *const modes[] = { "list", "fail", "refuse", "kill" };
	int status, at = 4;

	if (argc < 5)
		return 125;
	while (mode < KILL && strcmp(argv[3], modes[mode]))
		mode++;
	calls_log = fopen(argv[2], "we");
	if (mode != LIST) {
		wanted = strtoul(argv[at++], NULL, 10);
		wanted_errno = strtol(argv[at++], NULL, 10);
	}
	program = fork();
	if (!program)
		become(argv[1], argv + at);
	status = trace();
	fclose(calls_log);
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	signal(WTERMSIG(status), SIG_DFL);
	kill(getpid(), WTERMSIG(status));
	return 124;
}
