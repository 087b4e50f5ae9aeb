/*
 * Calls that wait, what each of them waits for, and what lets it go.
 */
#ifndef WAITING_CALLS_H
#define WAITING_CALLS_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LONG_S = 1000, WAKE = 40 /* a real-time signal */ };

static int release[2], connection[2], full[2], listener, queue, semaphores;
static sem_t semaphore;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int may_go_on;
static pid_t child;

/* ---- the calls: 0 when each came out as it should ---- */

static int failed(long result)
{
	return result < 0 ? errno : 0;
}

static int in_read(void)
{
	char byte;

	return failed(read(connection[0], &byte, 1));
}

static int in_write(void)
{
	static char bytes[65536];

	return failed(write(full[1], bytes, sizeof(bytes)));
}

static int in_recv_with_timeout(void)
{
	int pair[2];
	struct timeval limit = { .tv_sec = LONG_S };
	char byte;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ||
	    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)))
		return errno;
	/* Another descriptor of the other end, so that main can let it go. */
	dup2(pair[1], connection[1] + 100);
	return failed(recv(pair[0], &byte, 1, 0));
}

static int in_accept(void)
{
	return failed(accept(listener, NULL, NULL));
}

static int in_poll(void)
{
	struct pollfd entry = { .fd = release[0], .events = POLLIN };

	return failed(poll(&entry, 1, -1));
}

static int in_ppoll(void)
{
	struct pollfd entry = { .fd = release[0], .events = POLLIN };

	return failed(ppoll(&entry, 1, NULL, NULL));
}

static int in_select(void)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(release[0], &set);
	return failed(select(release[0] + 1, &set, NULL, NULL, NULL));
}

static int in_pselect(void)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(release[0], &set);
	return failed(pselect(release[0] + 1, &set, NULL, NULL, NULL, NULL));
}

static int watching(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	epoll_ctl(epoll, EPOLL_CTL_ADD, release[0], &event);
	return epoll;
}

static int in_epoll_wait(void)
{
	struct epoll_event event;

	return failed(epoll_wait(watching(), &event, 1, -1));
}

static int in_epoll_pwait(void)
{
	struct epoll_event event;

	return failed(epoll_pwait(watching(), &event, 1, -1, NULL));
}

static struct timespec a_second(void)
{
	return (struct timespec){ .tv_sec = 1 };
}

static int in_nanosleep(void)
{
	struct timespec time = a_second();

	return failed(nanosleep(&time, NULL));
}

static int in_clock_nanosleep(void)
{
	struct timespec time = a_second();

	return clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

static int in_usleep(void)
{
	return failed(usleep(1000000));
}

static int in_sleep(void)
{
	/* What it says is rounded down. */
	return sleep(2) ? EINTR : 0;
}

static int in_msgrcv(void)
{
	struct {
		long type;
		char text[8];
	} message;

	return failed(msgrcv(queue, &message, sizeof(message.text), 1, 0));
}

static int in_semop(void)
{
	struct sembuf take = { .sem_op = -1 };

	return failed(semop(semaphores, &take, 1));
}

static int in_semtimedop(void)
{
	struct sembuf take = { .sem_op = -1, .sem_num = 1 };
	struct timespec limit = { .tv_sec = LONG_S };

	return failed(semtimedop(semaphores, &take, 1, &limit));
}

static sigset_t wake_set(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, WAKE);
	return set;
}

static int in_sigtimedwait(void)
{
	sigset_t set = wake_set();
	struct timespec limit = { .tv_sec = LONG_S };

	return failed(sigtimedwait(&set, NULL, &limit));
}

static int in_sigwaitinfo(void)
{
	sigset_t set = wake_set();

	return failed(sigwaitinfo(&set, NULL));
}

static int in_sigwait(void)
{
	sigset_t set = wake_set();
	int number;

	return sigwait(&set, &number);
}

static int in_sem_wait(void)
{
	return failed(sem_wait(&semaphore));
}

static int in_mutex_lock(void)
{
	int error = pthread_mutex_lock(&mutex);

	if (!error)
		pthread_mutex_unlock(&mutex);
	return error;
}

static int in_cond_wait(void)
{
	int error = 0;

	pthread_mutex_lock(&guard);
	while (!error && !may_go_on)
		error = pthread_cond_wait(&condition, &guard);
	pthread_mutex_unlock(&guard);
	return error;
}

static int in_waitpid(void)
{
	return failed(waitpid(child, NULL, 0));
}

/* Until the last descriptor of the file that has the lock is closed. */
static int lock_file = -1;
static char lock_path[] = "/tmp/waiting-calls-XXXXXX";

static int in_flock(void)
{
	int file = open(lock_path, O_RDWR | O_CLOEXEC);
	int error = failed(flock(file, LOCK_EX));

	close(file);
	return error;
}

static int in_fcntl_lock(void)
{
	struct flock whole = { .l_type = F_WRLCK };
	int file = open(lock_path, O_RDWR | O_CLOEXEC);
	int error = failed(fcntl(file, F_OFD_SETLKW, &whole));

	close(file);
	return error;
}

static int inotify;

static int in_inotify_read(void)
{
	char events[4096];

	return failed(read(inotify, events, sizeof(events)));
}

static const struct call {
	const char *name;
	int (*wait)(void);
} calls[] = {
	{ .name = "read", .wait = in_read },
	{ .name = "write", .wait = in_write },
	{ .name = "recv of a socket with SO_RCVTIMEO",
	  .wait = in_recv_with_timeout },
	{ .name = "accept", .wait = in_accept },
	{ .name = "poll", .wait = in_poll },
	{ .name = "ppoll", .wait = in_ppoll },
	{ .name = "select", .wait = in_select },
	{ .name = "pselect", .wait = in_pselect },
	{ .name = "epoll_wait", .wait = in_epoll_wait },
	{ .name = "epoll_pwait", .wait = in_epoll_pwait },
	{ .name = "nanosleep", .wait = in_nanosleep },
	{ .name = "clock_nanosleep", .wait = in_clock_nanosleep },
	{ .name = "usleep", .wait = in_usleep },
	{ .name = "sleep", .wait = in_sleep },
	{ .name = "msgrcv", .wait = in_msgrcv },
	{ .name = "semop", .wait = in_semop },
	{ .name = "semtimedop", .wait = in_semtimedop },
	{ .name = "sigtimedwait", .wait = in_sigtimedwait },
	{ .name = "sigwaitinfo", .wait = in_sigwaitinfo },
	{ .name = "sigwait", .wait = in_sigwait },
	{ .name = "sem_wait", .wait = in_sem_wait },
	{ .name = "pthread_mutex_lock", .wait = in_mutex_lock },
	{ .name = "pthread_cond_wait", .wait = in_cond_wait },
	{ .name = "waitpid", .wait = in_waitpid },
	{ .name = "flock", .wait = in_flock },
	{ .name = "fcntl", .wait = in_fcntl_lock },
	{ .name = "read of inotify", .wait = in_inotify_read },
};

enum { CALLS = sizeof(calls) / sizeof(calls[0]) };

/* ---- what they wait for ---- */

static void fill(int pipe_end)
{
	static char bytes[4096];

	fcntl(pipe_end, F_SETFL, O_NONBLOCK);
	while (write(pipe_end, bytes, sizeof(bytes)) > 0)
		;
	fcntl(pipe_end, F_SETFL, 0);
}

static void prepare(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr =
					       htonl(INADDR_LOOPBACK) };
	struct flock whole = { .l_type = F_WRLCK };
	sigset_t set = wake_set();

	sigprocmask(SIG_BLOCK, &set, NULL);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	lock_file = mkstemp(lock_path);
	inotify = inotify_init1(IN_CLOEXEC);
	queue = msgget(IPC_PRIVATE, 0600);
	semaphores = semget(IPC_PRIVATE, 2, 0600);
	if (pipe(release) || pipe(connection) || pipe(full) ||
	    bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 1) || lock_file < 0 ||
	    flock(lock_file, LOCK_EX) ||
	    fcntl(lock_file, F_OFD_SETLK, &whole) || queue < 0 ||
	    semaphores < 0 ||
	    inotify_add_watch(inotify, lock_path, IN_ATTRIB) < 0)
		exit(3);
	fill(full[1]);
	sem_init(&semaphore, 0, 0);
	pthread_mutex_lock(&mutex);
	child = fork();
	if (!child) {
		char byte;

		close(release[1]);
		if (read(release[0], &byte, 1) < 0)
			_exit(1);
		_exit(0);
	}
}

/* What is in the pipe that in_write waits for. */
static void drain(void)
{
	static char bytes[200000];

	fcntl(full[0], F_SETFL, O_NONBLOCK);
	if (read(full[0], bytes, sizeof(bytes)) < 0)
		sched_yield();
}

/* All but in_write, and those that wait for the signal. */
static void let_go(void)
{
	struct {
		long type;
		char text[8];
	} message = { .type = 1 };
	struct sembuf give[] = { { .sem_op = 1 }, { .sem_op = 1, .sem_num = 1 } };
	struct sockaddr_in address;
	socklen_t size = sizeof(address);
	int client = socket(AF_INET, SOCK_STREAM, 0);

	if (write(connection[1], "x", 1) != 1 ||
	    write(connection[1] + 100, "x", 1) != 1)
		exit(4);
	getsockname(listener, (struct sockaddr *)&address, &size);
	connect(client, (struct sockaddr *)&address, size);
	msgsnd(queue, &message, sizeof(message.text), 0);
	semop(semaphores, give, 2);
	sem_post(&semaphore);
	pthread_mutex_unlock(&mutex);
	pthread_mutex_lock(&guard);
	may_go_on = 1;
	pthread_cond_broadcast(&condition);
	pthread_mutex_unlock(&guard);
	fchmod(lock_file, 0600);
	close(lock_file);
	close(release[1]);
}

static void clean_up(void)
{
	unlink(lock_path);
	msgctl(queue, IPC_RMID, NULL);
	semctl(semaphores, 0, IPC_RMID);
}

#endif
