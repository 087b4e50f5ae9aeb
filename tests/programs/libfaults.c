/*
 * Preloaded after the agent: the library functions that it calls, each of which
 * can be made to fail. Calls of others go through untouched.
 *
 * FAULTS_LOG     a file that gets the name of each call of the agent's, a line
 * FAULTS_FAIL    the number of the call that is to fail, 1 = the first
 * FAULTS_REFUSE  a function: all calls of it fail
 * FAULTS_ERRNO   how: an error number
 * FAULTS_CLOCK   a file with the seconds by which CLOCK_REALTIME is off
 *
 * What cannot fail (strlen, snprintf) is not here, nor is dlsym, whose answer
 * depends on who asks.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* How a function says that it failed: all set errno but those of NUMBER. */
enum how { MINUS_ONE, NULL_POINTER, NUMBER };

static bool is_of_agent(const void *caller)
{
	Dl_info info;

	return dladdr(caller, &info) && info.dli_fname &&
	       strstr(info.dli_fname, "/libleakagent.so");
}

/* By system calls: the functions are those that are watched. */
static void put_in_log(const char *name)
{
	const char *path = getenv("FAULTS_LOG");
	char line[64];
	int length = snprintf(line, sizeof(line), "%s\n", name);
	long fd;

	if (!path)
		return;
	fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND, 0);
	syscall(SYS_write, fd, line, length);
	syscall(SYS_close, fd);
}

static unsigned long number_of(const char *variable)
{
	const char *text = getenv(variable);

	return text ? strtoul(text, NULL, 10) : 0;
}

static bool is_to_fail(const char *name, const void *caller)
{
	static unsigned long calls;
	const char *refused = getenv("FAULTS_REFUSE");
	int host_errno = errno;
	unsigned long call;

	if (!is_of_agent(caller))
		return false;
	put_in_log(name);
	errno = host_errno;
	call = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
	return call == number_of("FAULTS_FAIL") ||
	       (refused && !strcmp(refused, name));
}

static long failure(enum how how)
{
	int error = (int)number_of("FAULTS_ERRNO");

	if (how == NUMBER)
		return error;
	errno = error;
	return how == NULL_POINTER ? 0 : -1;
}

/*
 * All of them take integers and pointers alone, six at most. The names are only
 * the assembler's, since headers declare them otherwise.
 */
#define FUNCTION(name, how)                                                    \
	long fault_##name(long a, long b, long c, long d, long e, long f)      \
		__asm__(#name);                                                \
	long fault_##name(long a, long b, long c, long d, long e, long f)      \
	{                                                                      \
		static long (*next)(long, long, long, long, long, long);       \
		void *symbol = next ? NULL : dlsym(RTLD_NEXT, #name);          \
                                                                               \
		if (symbol)                                                    \
			memcpy(&next, &symbol, sizeof(next));                  \
		if (is_to_fail(#name, __builtin_return_address(0)))            \
			return failure(how);                                   \
		return next(a, b, c, d, e, f);                                 \
	}

FUNCTION(__cxa_atexit, MINUS_ONE)
FUNCTION(__register_atfork, NUMBER)
FUNCTION(access, MINUS_ONE)
FUNCTION(chdir, MINUS_ONE)
FUNCTION(clone, MINUS_ONE)
FUNCTION(close, MINUS_ONE)
FUNCTION(close_range, MINUS_ONE)
FUNCTION(dladdr1, NULL_POINTER)
FUNCTION(dlopen, NULL_POINTER)
FUNCTION(faccessat, MINUS_ONE)
FUNCTION(flock, MINUS_ONE)
FUNCTION(fnmatch, NUMBER)
FUNCTION(fstat, MINUS_ONE)
FUNCTION(fstatat, MINUS_ONE)
FUNCTION(ftruncate, MINUS_ONE)
FUNCTION(getauxval, NULL_POINTER)
FUNCTION(getdents64, MINUS_ONE)
FUNCTION(getrlimit, MINUS_ONE)
FUNCTION(linkat, MINUS_ONE)
FUNCTION(memfd_create, MINUS_ONE)
FUNCTION(nanosleep, MINUS_ONE)
FUNCTION(open, MINUS_ONE)
FUNCTION(openat, MINUS_ONE)
FUNCTION(poll, MINUS_ONE)
FUNCTION(prctl, MINUS_ONE)
FUNCTION(pthread_attr_init, NUMBER)
FUNCTION(pthread_attr_setdetachstate, NUMBER)
FUNCTION(pthread_attr_setsigmask_np, NUMBER)
FUNCTION(pthread_attr_setstacksize, NUMBER)
FUNCTION(pthread_create, NUMBER)
FUNCTION(pthread_key_create, NUMBER)
FUNCTION(pthread_setspecific, NUMBER)
FUNCTION(read, MINUS_ONE)
FUNCTION(readlink, MINUS_ONE)
FUNCTION(realpath, NULL_POINTER)
FUNCTION(renameat2, MINUS_ONE)
FUNCTION(sigaction, MINUS_ONE)
FUNCTION(sigfillset, MINUS_ONE)
FUNCTION(stat, MINUS_ONE)
FUNCTION(sysinfo, MINUS_ONE)
FUNCTION(uname, MINUS_ONE)
FUNCTION(unlinkat, MINUS_ONE)
FUNCTION(unshare, MINUS_ONE)
FUNCTION(waitpid, MINUS_ONE)
FUNCTION(write, MINUS_ONE)

static long seconds_off(void)
{
	const char *path = getenv("FAULTS_CLOCK");
	char text[32] = "";
	long fd;

	if (!path)
		return 0;
	fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY, 0);
	syscall(SYS_read, fd, text, sizeof(text) - 1);
	syscall(SYS_close, fd);
	return strtol(text, NULL, 10);
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
	long result = syscall(SYS_clock_gettime, clock, time);

	if (!result && clock == CLOCK_REALTIME)
		time->tv_sec += seconds_off();
	return (int)result;
}
