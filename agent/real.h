/*
 * The definitions that the hooks stand in front of, and what serves the host
 * until they are known: finding them allocates.
 *
 * The la_plain_* functions forward without tracking, at any time; once
 * tracking is on, la_real itself may be used.
 */
#ifndef LA_REAL_H
#define LA_REAL_H

#include "agent/visibility.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <threads.h>

struct termios;
struct winsize;

typedef void (*la_signal_handler)(int);

/* name, result, parameters; the optional ones are NULL where libc has none. */
#define LA_REAL_REQUIRED(X)                                                    \
	X(malloc, void *, (size_t))                                            \
	X(calloc, void *, (size_t, size_t))                                    \
	X(realloc, void *, (void *, size_t))                                   \
	X(free, void, (void *))                                                \
	X(posix_memalign, int, (void **, size_t, size_t))                      \
	X(aligned_alloc, void *, (size_t, size_t))                             \
	X(memalign, void *, (size_t, size_t))                                  \
	X(valloc, void *, (size_t))                                            \
	X(malloc_usable_size, size_t, (void *))                                \
	X(mmap, void *, (void *, size_t, int, int, int, off_t))                \
	X(munmap, int, (void *, size_t))                                       \
	X(mremap, void *, (void *, size_t, size_t, int, ...))                  \
	X(pthread_create, int,                                                 \
	  (pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))    \
	X(pthread_join, int, (pthread_t, void **))                             \
	X(pthread_tryjoin_np, int, (pthread_t, void **))                       \
	X(pthread_timedjoin_np, int,                                           \
	  (pthread_t, void **, const struct timespec *))                       \
	X(pthread_detach, int, (pthread_t))                                    \
	X(fork, pid_t, (void))                                                 \
	X(execve, int, (const char *, char *const[], char *const[]))           \
	X(execvpe, int, (const char *, char *const[], char *const[]))          \
	X(fexecve, int, (int, char *const[], char *const[]))                   \
	X(sigaction, int,                                                      \
	  (int, const struct sigaction *, struct sigaction *))                 \
	X(_exit, void, (int))

#define LA_REAL_OPTIONAL(X)                                                    \
	X(reallocarray, void *, (void *, size_t, size_t))                      \
	X(pvalloc, void *, (size_t))                                           \
	X(free_sized, void, (void *, size_t))                                  \
	X(free_aligned_sized, void, (void *, size_t, size_t))                  \
	X(pthread_clockjoin_np, int,                                           \
	  (pthread_t, void **, clockid_t, const struct timespec *))            \
	X(thrd_create, int, (thrd_t *, thrd_start_t, void *))                  \
	X(thrd_join, int, (thrd_t, int *))                                     \
	X(thrd_detach, int, (thrd_t))                                          \
	X(prctl, int, (int, ...))                                              \
	X(unshare, int, (int))                                                 \
	X(setns, int, (int, int))                                              \
	X(daemon, int, (int, int))                                             \
	X(forkpty, pid_t,                                                      \
	  (int *, char *, const struct termios *, const struct winsize *))     \
	X(syscall, long, (long, long, long, long, long, long, long))           \
	X(signal, la_signal_handler, (int, la_signal_handler))                 \
	X(bsd_signal, la_signal_handler, (int, la_signal_handler))             \
	X(ssignal, la_signal_handler, (int, la_signal_handler))                \
	X(sysv_signal, la_signal_handler, (int, la_signal_handler))            \
	X(__sysv_signal, la_signal_handler, (int, la_signal_handler))          \
	X(execveat, int,                                                       \
	  (int, const char *, char *const[], char *const[], int))              \
	X(chroot, int, (const char *))                                         \
	X(setuid, int, (uid_t))                                                \
	X(seteuid, int, (uid_t))                                               \
	X(setreuid, int, (uid_t, uid_t))                                       \
	X(setresuid, int, (uid_t, uid_t, uid_t))                               \
	X(setgid, int, (gid_t))                                                \
	X(setegid, int, (gid_t))                                               \
	X(setregid, int, (gid_t, gid_t))                                       \
	X(setresgid, int, (gid_t, gid_t, gid_t))                               \
	X(setgroups, int, (size_t, const gid_t *))                             \
	X(__libc_start_main, int,                                              \
	  (int (*)(int, char **, char **), int, char **, void (*)(void),       \
	   void (*)(void), void (*)(void), void *))

struct la_real {
#define LA_REAL_MEMBER(name, result, parameters) result(*name) parameters;
	LA_REAL_REQUIRED(LA_REAL_MEMBER)
	LA_REAL_OPTIONAL(LA_REAL_MEMBER)
#undef LA_REAL_MEMBER
};

extern LA_HIDDEN struct la_real la_real;

/* Whether the loader is so far that others' functions can be called. */
bool la_real_callable(void);

/* The rest of la_real_ready. */
bool la_real_look(void);
extern LA_HIDDEN bool la_real_found;

/* Whether they have been found. */
static inline bool la_real_known(void)
{
	return __builtin_expect(__atomic_load_n(&la_real_found,
						__ATOMIC_ACQUIRE),
				1);
}

/*
 * Finds them, once. True when they are there; false while this very search is
 * going on (it allocates), and when libc lacks one that is required.
 */
static inline bool la_real_ready(void)
{
	return la_real_known() || la_real_look();
}

void *la_plain_malloc(size_t size);
void *la_plain_calloc(size_t count, size_t size);
void *la_plain_realloc(void *block, size_t size);
void *la_plain_memalign(size_t alignment, size_t size);
void la_plain_free(void *block);
void *la_plain_mmap(void *address, size_t length, int protection, int flags,
		    int fd, off_t offset);
int la_plain_munmap(void *address, size_t length);
void *la_plain_mremap(void *old, size_t old_length, size_t length, int flags,
		      void *fixed);

/*
 * The bootstrap arena: blocks that were handed out before the next allocator
 * was known. They are never given back, and every hook that takes a block must
 * ask first.
 */
extern LA_HIDDEN char la_bootstrap_arena[];
enum { LA_BOOTSTRAP_BYTES = 256 * 1024 };

static inline bool la_bootstrap_owns(const void *block)
{
	return (uintptr_t)block - (uintptr_t)la_bootstrap_arena <
	       LA_BOOTSTRAP_BYTES;
}

size_t la_bootstrap_size(const void *block);

/*
 * What dlsym or dlopen did not find is not the host's error: to be called after
 * them. dlerror would not do: it translates the message, under a lock of libc
 * that the host may hold while it allocates.
 */
void la_real_forget_error(void);

/* Where objects lie whose calls mean something; once the modules are known. */
void la_real_locate(void);

struct la_range {
	uintptr_t start, size;
};
extern LA_HIDDEN struct la_range la_loader_range, la_allocator_range,
	la_unwinder_range;

static inline bool la_in_range(struct la_range range, uintptr_t address)
{
	return address - range.start < range.size;
}

/* Whether code at `pc` is the next allocator's; once it is located. */
bool la_real_allocates(uintptr_t pc);

/*
 * The path of the object whose malloc the program uses: the one that defines the
 * next malloc, unless the hooks are passed by.
 */
const char *la_real_allocator(void);

/*
 * Whether the program defines malloc itself, or a library that comes before the
 * agent: then calls of malloc do not reach the hooks. Once the modules are known.
 */
bool la_real_passed_by(void);

/* The same of realloc, which an allocator may have without malloc. */
bool la_real_realloc_passed_by(void);

/* free as the program calls it, wherever that is. */
void la_real_free_of_first(void *block);

#endif
