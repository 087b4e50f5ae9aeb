/* build: -std=gnu++17 -fsized-deallocation -Wno-deprecated-declarations -ldl */
/*
 * errno after every function that the agent stands in front of, each called once
 * so that it succeeds and, where that is possible, once so that it fails; errno
 * was 77 before. What libc lacks is not called. Prints a line for each call; must
 * print the same without the agent.
 */
#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <initializer_list>
#include <malloc.h>
#include <new>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

extern "C" int leakagent_snapshot(const char *reason) __attribute__((weak));
extern "C" pid_t __fork(void);

namespace {

/* Compilers know what is too much. */
volatile size_t TOO_MUCH = SIZE_MAX / 2 - 1000;
const int NO_SIGNAL = 1000;

void *volatile block;

/* What a call gave back is printed as far as it says how the call went. */
#define SAY(name, call)                                                        \
	do {                                                                   \
		errno = 77;                                                    \
		long result_ = (long)(call);                                   \
		int errno_ = errno;                                            \
		printf("%s: %ld, errno %d\n", name, result_, errno_);          \
	} while (0)

/* Whether a block came: it is freed in between. */
#define SAY_BLOCK(name, call)                                                  \
	do {                                                                   \
		errno = 77;                                                    \
		block = (call);                                                \
		int errno_ = errno;                                            \
		printf("%s: %s, errno %d\n", name, block ? "a block" : "none", \
		       errno_);                                                \
		errno = 77;                                                    \
		free(block);                                                   \
		if (errno != 77)                                               \
			printf("free changed it to %d\n", errno);              \
	} while (0)

#define SAY_NEW(name, create, destroy)                                         \
	do {                                                                   \
		errno = 77;                                                    \
		try {                                                          \
			block = (create);                                      \
		} catch (const std::bad_alloc &) {                             \
			block = nullptr;                                       \
		}                                                              \
		int errno_ = errno;                                            \
		printf("%s: %s, errno %d\n", name, block ? "a block" : "none", \
		       errno_);                                                \
		errno = 77;                                                    \
		(destroy);                                                     \
		printf("its delete: errno %d\n", errno);                       \
	} while (0)

void *reallocated(size_t size)
{
	void *old = malloc(100);
	void *moved = realloc(old, size);

	if (!moved)
		free(old);
	return moved;
}

void *reallocated_array(size_t count)
{
	void *old = malloc(100);
	void *moved = reallocarray(old, count, 16);

	if (!moved)
		free(old);
	return moved;
}

void allocate()
{
	void *aligned = nullptr;

	SAY_BLOCK("malloc", malloc(100));
	SAY_BLOCK("malloc of 0", malloc(0));
	SAY_BLOCK("malloc of much", malloc(10000000));
	SAY_BLOCK("malloc fails", malloc(TOO_MUCH));
	SAY_BLOCK("calloc", calloc(10, 10));
	SAY_BLOCK("calloc fails", calloc(TOO_MUCH, 16));
	SAY_BLOCK("realloc", reallocated(10000));
	SAY_BLOCK("realloc to 0", realloc(malloc(10), 0));
	SAY_BLOCK("realloc fails", reallocated(TOO_MUCH));
	SAY_BLOCK("reallocarray", reallocated_array(100));
	SAY_BLOCK("reallocarray fails", reallocated_array(TOO_MUCH));
	SAY_BLOCK("aligned_alloc", aligned_alloc(64, 640));
	SAY_BLOCK("aligned_alloc fails", aligned_alloc(64, TOO_MUCH));
	SAY_BLOCK("memalign", memalign(64, 640));
	SAY_BLOCK("memalign fails", memalign(64, TOO_MUCH));
	SAY_BLOCK("valloc", valloc(100));
	SAY_BLOCK("valloc fails", valloc(TOO_MUCH));
	SAY_BLOCK("pvalloc", pvalloc(100));
	SAY_BLOCK("pvalloc fails", pvalloc(TOO_MUCH));
	SAY("posix_memalign", posix_memalign(&aligned, 64, 640));
	free(aligned);
	SAY("posix_memalign fails", posix_memalign(&aligned, 64, TOO_MUCH));
	SAY("posix_memalign refuses", posix_memalign(&aligned, 3, 10));
	block = malloc(100);
	SAY("malloc_usable_size", malloc_usable_size(block));
	free(block);
	SAY("malloc_usable_size of none", malloc_usable_size(nullptr));
	errno = 77;
	free(nullptr);
	printf("free of none: errno %d\n", errno);
}

/* C23's, which this libc may lack. */
template <class... Arguments>
void free_by(const char *name, Arguments... arguments)
{
	void *symbol = dlsym(RTLD_DEFAULT, name);
	void (*function)(void *, Arguments...) =
		reinterpret_cast<void (*)(void *, Arguments...)>(symbol);

	errno = 77;
	if (function) {
		block = memalign(64, 640);
		errno = 77;
		function(block, arguments...);
		errno = errno == 77 ? 77 : errno;
	}
	printf("%s: errno %d\n", name, errno);
}

void create()
{
	const auto wide = std::align_val_t(64);
	const auto quiet = std::nothrow;

	SAY_NEW("new", ::operator new(100), ::operator delete(block));
	SAY_NEW("new fails", ::operator new(TOO_MUCH),
		::operator delete(block));
	SAY_NEW("new, sized delete", ::operator new(100),
		::operator delete(block, 100));
	SAY_NEW("new[]", ::operator new[](100), ::operator delete[](block));
	SAY_NEW("new[] fails", ::operator new[](TOO_MUCH),
		::operator delete[](block));
	SAY_NEW("new[], sized delete", ::operator new[](100),
		::operator delete[](block, 100));
	SAY_NEW("nothrow new", ::operator new(100, quiet),
		::operator delete(block, quiet));
	SAY_NEW("nothrow new fails", ::operator new(TOO_MUCH, quiet),
		::operator delete(block, quiet));
	SAY_NEW("nothrow new[]", ::operator new[](100, quiet),
		::operator delete[](block, quiet));
	SAY_NEW("nothrow new[] fails", ::operator new[](TOO_MUCH, quiet),
		::operator delete[](block, quiet));
	SAY_NEW("aligned new", ::operator new(100, wide),
		::operator delete(block, wide));
	SAY_NEW("aligned new fails", ::operator new(TOO_MUCH, wide),
		::operator delete(block, wide));
	SAY_NEW("aligned new, sized delete", ::operator new(128, wide),
		::operator delete(block, 128, wide));
	SAY_NEW("aligned new[]", ::operator new[](100, wide),
		::operator delete[](block, wide));
	SAY_NEW("aligned new[] fails", ::operator new[](TOO_MUCH, wide),
		::operator delete[](block, wide));
	SAY_NEW("aligned new[], sized delete", ::operator new[](128, wide),
		::operator delete[](block, 128, wide));
	SAY_NEW("aligned nothrow new", ::operator new(100, wide, quiet),
		::operator delete(block, wide, quiet));
	SAY_NEW("aligned nothrow new[]", ::operator new[](100, wide, quiet),
		::operator delete[](block, wide, quiet));
}

const int READ_WRITE = PROT_READ | PROT_WRITE;
const int ANONYMOUS = MAP_PRIVATE | MAP_ANONYMOUS;

void map()
{
	void *memory = mmap(nullptr, 8192, READ_WRITE, ANONYMOUS, -1, 0);

	SAY("mremap", mremap(memory, 8192, 4096, 0) != MAP_FAILED);
	SAY("mremap fails", mremap(memory, 4096, TOO_MUCH, 0) != MAP_FAILED);
	SAY("mremap refuses",
	    mremap((char *)memory + 1, 4096, 8192, 0) != MAP_FAILED);
	SAY("mmap over it",
	    mmap(memory, 4096, READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0) ==
		    memory);
	SAY("munmap", munmap(memory, 4096));
	SAY("munmap refuses", munmap((char *)memory + 1, 4096));
	SAY("mmap", (memory = mmap(nullptr, 4096, READ_WRITE, ANONYMOUS, -1,
				   0)) != MAP_FAILED);
	munmap(memory, 4096);
	SAY("mmap64", (memory = mmap64(nullptr, 4096, READ_WRITE, ANONYMOUS,
				       -1, 0)) != MAP_FAILED);
	munmap(memory, 4096);
	SAY("mmap fails",
	    mmap(nullptr, TOO_MUCH, READ_WRITE, ANONYMOUS, -1, 0) !=
		    MAP_FAILED);
	SAY("mmap of no file",
	    mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, 999, 0) != MAP_FAILED);
}

void *run(void *argument)
{
	errno = 77;
	free(malloc(100));
	if (errno != 77)
		puts("not so in a new thread");
	return argument;
}

int run_c11(void *argument)
{
	run(argument);
	return 0;
}

void begin_and_end_threads()
{
	struct timespec past = {}, future = {};
	pthread_attr_t attributes;
	pthread_t thread;
	thrd_t c11_thread;

	clock_gettime(CLOCK_REALTIME, &future);
	future.tv_sec += 1000;
	SAY("pthread_create", pthread_create(&thread, nullptr, run, nullptr));
	SAY("pthread_join", pthread_join(thread, nullptr));
	pthread_create(&thread, nullptr, run, nullptr);
	SAY("pthread_detach", pthread_detach(thread));
	pthread_create(&thread, nullptr, run, nullptr);
	while (pthread_tryjoin_np(thread, nullptr))
		usleep(1000);
	SAY("pthread_tryjoin_np fails",
	    pthread_tryjoin_np(pthread_self(), nullptr) != 0);
	SAY("pthread_timedjoin_np fails",
	    pthread_timedjoin_np(pthread_self(), nullptr, &past) != 0);
	SAY("pthread_clockjoin_np fails",
	    pthread_clockjoin_np(pthread_self(), nullptr, CLOCK_REALTIME,
				 &past) != 0);
	pthread_create(&thread, nullptr, run, nullptr);
	SAY("pthread_timedjoin_np",
	    pthread_timedjoin_np(thread, nullptr, &future));
	pthread_create(&thread, nullptr, run, nullptr);
	SAY("pthread_clockjoin_np",
	    pthread_clockjoin_np(thread, nullptr, CLOCK_REALTIME, &future));
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, size_t(1) << 50);
	SAY("pthread_create fails",
	    pthread_create(&thread, &attributes, run, nullptr) != 0);
	SAY("thrd_create", thrd_create(&c11_thread, run_c11, nullptr));
	SAY("thrd_join", thrd_join(c11_thread, nullptr));
	thrd_create(&c11_thread, run_c11, nullptr);
	SAY("thrd_detach", thrd_detach(c11_thread));
}

void handle(int number)
{
	(void)number;
}

typedef void (*handler)(int);

void set_by(const char *name)
{
	void *symbol = dlsym(RTLD_DEFAULT, name);
	handler (*function)(int, handler) =
		reinterpret_cast<handler (*)(int, handler)>(symbol);
	char text[40];

	for (int number : { SIGUSR2, SIGUSR1, NO_SIGNAL }) {
		snprintf(text, sizeof(text), "%s(%d)", name, number);
		if (!function)
			printf("no %s\n", text);
		else
			SAY(text, function(number, handle) == SIG_ERR);
		if (function && number != NO_SIGNAL)
			SAY("and back", function(number, SIG_DFL) == SIG_ERR);
	}
}

void set_signals()
{
	struct sigaction action = {}, old = {};

	for (int number : { SIGUSR2, SIGTERM, SIGUSR1, NO_SIGNAL, SIGKILL }) {
		action.sa_handler = handle;
		SAY("sigaction", sigaction(number, &action, nullptr));
		action.sa_handler = SIG_DFL;
		SAY("sigaction", sigaction(number, &action, &old));
		SAY("sigaction", sigaction(number, nullptr, &old));
	}
	for (const char *name : { "signal", "bsd_signal", "ssignal",
				  "sysv_signal", "__sysv_signal" })
		set_by(name);
}

void block_signals()
{
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	SAY("sigprocmask", sigprocmask(SIG_BLOCK, &set, &old));
	SAY("sigprocmask refuses", sigprocmask(99, &set, &old));
	SAY("pthread_sigmask", pthread_sigmask(SIG_UNBLOCK, &set, &old));
	SAY("pthread_sigmask refuses", pthread_sigmask(99, &set, &old));
}

void call_kernel()
{
	SAY("prctl", prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	SAY("prctl refuses", prctl(PR_SET_DUMPABLE, 99, 0, 0, 0));
	SAY("syscall", syscall(SYS_getpid) == getpid());
	SAY("syscall refuses", syscall(-1L));
	SAY("unshare", unshare(0));
	SAY("unshare refuses", unshare(-1));
	SAY("setns refuses", setns(999, 0));
}

/* To where and who it is already: as root and as anybody else. */
void move()
{
	const uid_t user = getuid(), nobody = uid_t(-1);
	const gid_t group = getgid(), none = gid_t(-1);
	gid_t groups[256];
	int count = getgroups(256, groups);

	SAY("chroot", chroot("/no/such/folder"));
	SAY("setuid", setuid(user));
	SAY("setuid refuses", setuid(nobody));
	SAY("seteuid", seteuid(user));
	SAY("seteuid refuses", seteuid(nobody));
	SAY("setreuid", setreuid(user, user));
	SAY("setresuid", setresuid(user, user, user));
	SAY("setgid", setgid(group));
	SAY("setgid refuses", setgid(none));
	SAY("setegid", setegid(group));
	SAY("setegid refuses", setegid(none));
	SAY("setregid", setregid(group, group));
	SAY("setresgid", setresgid(group, group, group));
	SAY("setgroups", setgroups(count < 0 ? 0 : size_t(count), groups));
	SAY("setgroups refuses", setgroups(TOO_MUCH, groups));
}

void execute()
{
	const char *const nowhere = "/no/such/program";
	char *const arguments[] = { const_cast<char *>("program"), nullptr };

	SAY("execve", execve(nowhere, arguments, environ));
	SAY("execv", execv(nowhere, arguments));
	SAY("execvp", execvp("no-such-program", arguments));
	SAY("execvpe", execvpe("no-such-program", arguments, environ));
	SAY("execl", execl(nowhere, "program", (char *)nullptr));
	SAY("execlp", execlp("no-such-program", "program", (char *)nullptr));
	SAY("execle",
	    execle(nowhere, "program", (char *)nullptr, environ));
	SAY("fexecve", fexecve(999, arguments, environ));
	SAY("execveat", execveat(999, "program", arguments, environ, 0));
}

void take_snapshot()
{
	errno = 77;
	if (leakagent_snapshot)
		leakagent_snapshot("errno");
	printf("leakagent_snapshot: errno %d\n", errno);
}

void fork_by(const char *name, pid_t (*function)(void))
{
	int status = 0, error;
	pid_t child;

	fflush(stdout);
	errno = 77;
	child = function();
	error = errno;
	if (child == 0)
		_exit(error == 77 ? 0 : error);
	waitpid(child, &status, 0);
	printf("%s: errno %d, in the child %d\n", name, error,
	       status ? WEXITSTATUS(status) : 77);
}

pid_t fork_with_a_terminal()
{
	static int terminal;

	return forkpty(&terminal, nullptr, nullptr, nullptr);
}

/* What calls it ends, and a child of that goes on. */
void become_daemon()
{
	int ends[2], told[2] = { -1, -1 };

	fflush(stdout);
	if (pipe(ends))
		abort();
	if (fork() == 0) {
		errno = 77;
		told[0] = daemon(1, 1);
		told[1] = errno;
		if (write(ends[1], told, sizeof(told)) != sizeof(told))
			_exit(1);
		_exit(0);
	}
	close(ends[1]);
	if (read(ends[0], told, sizeof(told)) != sizeof(told))
		puts("no daemon");
	wait(nullptr);
	printf("daemon: %d, errno %d\n", told[0], told[1]);
}

} // namespace

int main()
{
	setvbuf(stdout, nullptr, _IOLBF, 4096);
	allocate();
	free_by<size_t>("free_sized", 640);
	free_by<size_t, size_t>("free_aligned_sized", 64, 640);
	create();
	map();
	begin_and_end_threads();
	set_signals();
	block_signals();
	call_kernel();
	move();
	execute();
	take_snapshot();
	fork_by("fork", fork);
	fork_by("__fork", __fork);
	fork_by("forkpty", fork_with_a_terminal);
	become_daemon();
	return 0;
}
