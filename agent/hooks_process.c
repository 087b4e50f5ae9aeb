/*
 * Where processes begin and end: main, fork, _exit and the exec family. In a
 * vfork child all of these only forward: its memory is its parent's.
 */

#define _GNU_SOURCE /* environ, execvpe, execveat */

#include "agent/boot.h"
#include "agent/hook.h"

#include <errno.h>
#include <pty.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

/* What libc is to call instead of the program's main. */
static int (*host_main)(int, char **, char **);

static int run_main(int argc, char **argv, char **environment)
{
	la_boot_main();
	return host_main(argc, argv, environment);
}

LA_EXPORT int __libc_start_main(int (*main)(int, char **, char **), int argc,
				char **argv, void (*init)(void),
				void (*fini)(void), void (*rtld_fini)(void),
				void *stack_end);

LA_EXPORT int __libc_start_main(int (*main)(int, char **, char **), int argc,
				char **argv, void (*init)(void),
				void (*fini)(void), void (*rtld_fini)(void),
				void *stack_end)
{
	host_main = main;
	la_real_ready();
	return la_real.__libc_start_main(run_main, argc, argv, init, fini,
					 rtld_fini, stack_end);
}

LA_EXPORT pid_t __fork(void);

LA_EXPORT pid_t fork(void)
{
	if (!la_real_ready()) {
		errno = EAGAIN;
		return -1;
	}
	la_boot_fork(LA_FRAME);
	return la_real.fork();
}

LA_EXPORT pid_t __fork(void)
{
	return fork();
}

/* libc's own call of fork does not come by here. */
LA_EXPORT int daemon(int same_folder, int same_output)
{
	int result;

	if (!la_real_ready() || !la_real.daemon) {
		errno = ENOSYS;
		return -1;
	}
	la_boot_fork(LA_FRAME);
	result = la_real.daemon(same_folder, same_output);
	la_boot_forked();
	return result;
}

LA_EXPORT pid_t forkpty(int *terminal, char *name,
			const struct termios *settings,
			const struct winsize *size)
{
	pid_t result;

	if (!la_real_ready() || !la_real.forkpty) {
		errno = ENOSYS;
		return -1;
	}
	la_boot_fork(LA_FRAME);
	result = la_real.forkpty(terminal, name, settings, size);
	la_boot_forked();
	return result;
}

LA_EXPORT void _exit(int status)
{
	la_boot_exit_now();
	la_real_ready();
	la_real._exit(status);
	__builtin_unreachable();
}

LA_EXPORT void _Exit(int status)
{
	_exit(status);
}

LA_EXPORT int execve(const char *path, char *const argv[],
		     char *const environment[])
{
	la_boot_exec(path);
	return la_real_ready() ? la_real.execve(path, argv, environment) : -1;
}

LA_EXPORT int execv(const char *path, char *const argv[])
{
	la_boot_exec(path);
	return la_real_ready() ? la_real.execve(path, argv, environ) : -1;
}

LA_EXPORT int execvpe(const char *file, char *const argv[],
		      char *const environment[])
{
	la_boot_exec(NULL);
	return la_real_ready() ? la_real.execvpe(file, argv, environment) : -1;
}

LA_EXPORT int execvp(const char *file, char *const argv[])
{
	la_boot_exec(NULL);
	return la_real_ready() ? la_real.execvpe(file, argv, environ) : -1;
}

LA_EXPORT int fexecve(int fd, char *const argv[], char *const environment[])
{
	la_boot_exec(NULL);
	return la_real_ready() ? la_real.fexecve(fd, argv, environment) : -1;
}

LA_EXPORT int execveat(int folder, const char *path, char *const argv[],
		       char *const environment[], int flags)
{
	la_boot_exec(NULL);
	if (!la_real_ready() || !la_real.execveat) {
		errno = ENOSYS;
		return -1;
	}
	return la_real.execveat(folder, path, argv, environment, flags);
}

/* Arguments up to the NULL that ends them. */
static size_t count_arguments(va_list arguments)
{
	size_t count = 1;

	while (va_arg(arguments, char *))
		count++;
	return count;
}

/*
 * argv[] from an argument list, on the stack since exec must not allocate, and
 * what follows the list, for execle.
 */
#define COLLECT(first, argv)                                                   \
	va_list arguments;                                                     \
                                                                               \
	va_start(arguments, first);                                            \
	size_t count = count_arguments(arguments);                             \
	va_end(arguments);                                                     \
	char *argv[count + 1];                                                 \
	va_start(arguments, first);                                            \
	argv[0] = (char *)first;                                               \
	for (size_t i = 1; i <= count; i++)                                    \
		argv[i] = va_arg(arguments, char *)

LA_EXPORT int execl(const char *path, const char *first, ...)
{
	COLLECT(first, argv);
	va_end(arguments);
	return execv(path, argv);
}

LA_EXPORT int execlp(const char *file, const char *first, ...)
{
	COLLECT(first, argv);
	va_end(arguments);
	return execvp(file, argv);
}

LA_EXPORT int execle(const char *path, const char *first, ...)
{
	COLLECT(first, argv);
	char *const *environment = va_arg(arguments, char *const *);

	va_end(arguments);
	return execve(path, argv, environment);
}
