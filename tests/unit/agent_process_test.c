/* Facts about the process, and times as text. */
#define _GNU_SOURCE

#include "agent/process.h"

#include "tests/support/agent_check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>

#define SECOND UINT64_C(1000000000)

/* ---- time ---- */

static void assert_time(uint64_t seconds, unsigned nanoseconds)
{
	time_t time = (time_t)seconds;
	char text[LA_TIME_BYTES + 1], expected[64], date[32];
	struct tm tm;

	text[LA_TIME_BYTES] = 'x';
	la_time_text(seconds * SECOND + nanoseconds, text);
	assert_non_null(gmtime_r(&time, &tm));
	assert_true(strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm));
	snprintf(expected, sizeof(expected), "%s.%03uZ", date,
		 nanoseconds / 1000000);
	assert_string_equal(text, expected);
	assert_int_equal(strlen(text), LA_TIME_BYTES - 1);
	assert_int_equal(text[LA_TIME_BYTES], 'x');
}

static void test_times(void **state)
{
	/* Begins and ends of months, leap days, the edges of centuries. */
	static const uint64_t seconds[] = {
		0,	    1,		59,	    60,		3599,
		86399,	    86400,	951782399,  951782400,	951868799,
		951868800,  1078012799, 1078012800, 1078099200, 1709164800,
		1709251199, 1709251200, 1735689599, 1735689600, 1763729101,
		2147483647, 2147483648, 4107542399, 4107542400, 4294967295,
		4294967296, 13574563200, 18446744072,
	};

	(void)state;
	for (size_t i = 0; i < array_length(seconds); i++) {
		assert_time(seconds[i], 0);
		assert_time(seconds[i], 999999999);
	}
}

static void test_every_day(void **state)
{
	uint64_t seed = 5;

	(void)state;
	/* As far as nanoseconds in 64 bits go: the year 2554. */
	for (uint64_t day = 0; day < UINT64_MAX / SECOND / 86400; day++)
		assert_time(day * 86400 + random_below(&seed, 86400),
			    (unsigned)random_below(&seed, SECOND));
}

static void test_every_second_of_a_day(void **state)
{
	(void)state;
	for (unsigned second = 0; second < 86400; second++)
		assert_time(1709164800 + second, 0);
}

static void test_milliseconds_are_cut(void **state)
{
	char text[LA_TIME_BYTES];

	(void)state;
	la_time_text(1763729101 * SECOND + 999999999, text);
	assert_string_equal(text, "2025-11-21T12:45:01.999Z");
	la_time_text(1763729101 * SECOND + 999999, text);
	assert_string_equal(text, "2025-11-21T12:45:01.000Z");
}

/* ---- the process ---- */

static void test_who_it_is(void **state)
{
	struct utsname names;
	uint64_t before = la_clock_utc(), monotonic = la_clock_monotonic();

	(void)state;
	errno = 77;
	la_process_boot();
	assert_int_equal(errno, 77);
	assert_int_equal(la_process.pid, getpid());
	assert_int_equal(la_process.ppid, getppid());
	assert_string_equal(la_process.command, "agent_process_test");
	assert_int_equal(uname(&names), 0);
	assert_string_equal(la_process.host, names.nodename);
	assert_false(la_process.forked);
	assert_in_range(la_process.start_ns, before, la_clock_utc());
	assert_in_range(la_process.start_monotonic_ns, monotonic,
			la_clock_monotonic());
	assert_false(la_process_is_another());
}

static int look_as_child(void)
{
	int parent = la_process.pid;

	if (!la_process_is_another())
		return 1;
	la_process_after_fork();
	if (la_process.pid != getpid() || la_process.ppid != parent)
		return 2;
	if (!la_process.forked || la_process_is_another())
		return 3;
	return strcmp(la_process.command, "agent_process_test") ? 4 : 0;
}

static void test_child(void **state)
{
	(void)state;
	la_process_boot();
	assert_int_equal(in_child(look_as_child), 0);
	assert_false(la_process_is_another());
}

static void test_parent_without_agent(void **state)
{
	(void)state;
	la_process_boot();
	errno = 78;
	assert_false(la_process_has_tracked_parent());
	assert_int_equal(errno, 78);
}

/* The parent has mapped a file of that name, after many others. */
static int child_of_tracked(void)
{
	la_process_after_fork();
	return la_process_has_tracked_parent() ? 0 : 1;
}

static void test_parent_with_agent(void **state)
{
	char folder[] = "/tmp/agent_process_test.XXXXXX", path[128];
	int fd;
	void *file;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/libleakagent.so", folder);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0 && !ftruncate(fd, 4096));
	/* Wherever the name comes to lie in the pieces that are read. */
	for (int i = 0; i < 300; i++)
		assert_ptr_not_equal(mmap(NULL, 8192,
					  i % 2 ? PROT_READ :
						  PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
				     MAP_FAILED);
	assert_int_equal(in_child(child_of_tracked), 1);
	file = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(file, MAP_FAILED);
	assert_int_equal(in_child(child_of_tracked), 0);
	munmap(file, 4096);
	close(fd);
	unlink(path);
	rmdir(folder);
}

static void test_resident(void **state)
{
	enum { MORE = 64 << 20 };
	struct la_resident before = la_process_resident(), after;
	char *memory = mmap(NULL, MORE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(memory, MAP_FAILED);
	memset(memory, 1, MORE);
	after = la_process_resident();
	assert_int_equal(before.all, before.anonymous + before.file +
					     before.shared);
	assert_true(before.anonymous > 0 && before.file > 0);
	assert_true(before.shared >= 0 && before.swapped >= 0);
	/* The kernel counts in batches for each thread: not to the byte. */
	assert_in_range(after.anonymous - before.anonymous, MORE - (2 << 20),
			MORE + (2 << 20));
	munmap(memory, MORE);
	memory = mmap(NULL, MORE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(memory, 1, MORE);
	after = la_process_resident();
	assert_in_range(after.shared - before.shared, MORE - (2 << 20),
			MORE + (2 << 20));
	munmap(memory, MORE);
}

/* ---- blocked signals ---- */

static pthread_barrier_t meeting;

static void *block_or_not(void *signals)
{
	pthread_sigmask(SIG_SETMASK, signals, NULL);
	pthread_barrier_wait(&meeting);
	pthread_barrier_wait(&meeting);
	return NULL;
}

/* What is said while two other threads have these masks. */
static bool said_with(int signal, bool first, bool second)
{
	sigset_t masks[2];
	pthread_t threads[2];
	bool said;

	for (int i = 0; i < 2; i++) {
		sigemptyset(&masks[i]);
		if (i ? second : first)
			sigaddset(&masks[i], signal);
	}
	pthread_barrier_init(&meeting, NULL, 3);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, block_or_not,
						&masks[i]),
				 0);
	pthread_barrier_wait(&meeting);
	said = la_process_blocks(signal);
	pthread_barrier_wait(&meeting);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return said;
}

static void test_signal_that_all_others_block(void **state)
{
	const int signals[] = { SIGHUP, SIGUSR2, SIGRTMIN, 64 };

	(void)state;
	for (size_t i = 0; i < array_length(signals); i++) {
		assert_true(said_with(signals[i], true, true));
		assert_false(said_with(signals[i], true, false));
		assert_false(said_with(signals[i], false, true));
		assert_false(said_with(signals[i], false, false));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_every_day),
		cmocka_unit_test(test_every_second_of_a_day),
		cmocka_unit_test(test_milliseconds_are_cut),
		cmocka_unit_test(test_who_it_is),
		cmocka_unit_test(test_child),
		cmocka_unit_test(test_parent_without_agent),
		cmocka_unit_test(test_parent_with_agent),
		cmocka_unit_test(test_resident),
		cmocka_unit_test(test_signal_that_all_others_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
