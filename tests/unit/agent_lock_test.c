/* The agent's locks: one holder, sleepers that wake, fork, and signals. */
#define _GNU_SOURCE

#include "agent/lock.h"

#include "tests/support/agent_check.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

enum { THREADS = 8, ROUNDS = 20000 };

static uint64_t plain_counter; /* not atomic: the lock must do */
static uint32_t inside;

static void count_under_lock(unsigned number)
{
	for (uint32_t i = 0; i < ROUNDS; i++) {
		la_lock(LA_LOCK_MAPS);
		note_unless(__atomic_add_fetch(&inside, 1, __ATOMIC_RELAXED) ==
			    1);
		note_unless(la_lock_held(LA_LOCK_MAPS));
		plain_counter++;
		/* Now and then so long that the others go to sleep. */
		if (i % 1000 == number)
			sched_yield();
		__atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED);
		la_unlock(LA_LOCK_MAPS);
	}
}

static void test_one_at_a_time(void **state)
{
	(void)state;
	plain_counter = 0;
	crew(THREADS, count_under_lock);
	assert_int_equal(plain_counter, THREADS * ROUNDS);
	assert_false(la_lock_held(LA_LOCK_MAPS));
}

/* They sleep until it is free: the last ends when each has woken the next. */
static uint32_t is_held, waiting;

static void wait_for_all(unsigned number)
{
	if (number) {
		while (!__atomic_load_n(&is_held, __ATOMIC_ACQUIRE))
			sched_yield();
		__atomic_add_fetch(&waiting, 1, __ATOMIC_RELEASE);
		la_lock(LA_LOCK_MAPS);
		la_unlock(LA_LOCK_MAPS);
		return;
	}
	la_lock(LA_LOCK_MAPS);
	__atomic_store_n(&is_held, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&waiting, __ATOMIC_ACQUIRE) < THREADS - 1)
		sched_yield();
	/* Time to fall asleep, which all of them do in the end. */
	usleep(20 * 1000);
	la_unlock(LA_LOCK_MAPS);
}

static void test_sleepers_wake(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		is_held = waiting = 0;
		crew(THREADS, wait_for_all);
		assert_false(la_lock_held(LA_LOCK_MAPS));
	}
}

static void look_from_elsewhere(unsigned number)
{
	(void)number;
	note_unless(!la_lock_held(LA_LOCK_FRAMES));
}

static void test_any_held(void **state)
{
	const unsigned ranks[] = { 0, LA_LOCK_HEAP + 7, LA_LOCKS - 1 };

	(void)state;
	assert_false(la_lock_any_held());
	for (size_t i = 0; i < array_length(ranks); i++) {
		la_lock(ranks[i]);
		assert_true(la_lock_any_held());
		la_unlock(ranks[i]);
		assert_false(la_lock_any_held());
	}
}

static void test_held_by_its_owner_alone(void **state)
{
	(void)state;
	assert_false(la_lock_held(LA_LOCK_FRAMES));
	la_lock(LA_LOCK_FRAMES);
	assert_true(la_lock_held(LA_LOCK_FRAMES));
	assert_false(la_lock_held(LA_LOCK_NODES));
	crew(1, look_from_elsewhere);
	la_unlock(LA_LOCK_FRAMES);
	assert_false(la_lock_held(LA_LOCK_FRAMES));
}

static unsigned held_locks(void)
{
	unsigned held = 0;

	for (unsigned rank = 0; rank < LA_LOCKS; rank++)
		held += la_lock_held(rank);
	return held;
}

static void test_all_and_back(void **state)
{
	(void)state;
	la_lock_all();
	assert_int_equal(held_locks(), LA_LOCKS);
	la_unlock_all();
	assert_int_equal(held_locks(), 0);
}

/* A handler that forks gives back only what it took itself. */
static void test_all_but_what_is_held(void **state)
{
	(void)state;
	la_lock(LA_LOCK_MODULES);
	la_lock_all();
	assert_int_equal(held_locks(), LA_LOCKS);
	la_unlock_all();
	assert_true(la_lock_held(LA_LOCK_MODULES));
	assert_int_equal(held_locks(), 1);
	la_unlock(LA_LOCK_MODULES);
}

static int locks_of_child(void)
{
	la_lock_after_fork();
	/* The one held before the fork is this thread's, under its new id. */
	if (!la_lock_held(LA_LOCK_MEMORY) || held_locks() != 1)
		return 1;
	la_unlock(LA_LOCK_MEMORY);
	la_lock_all();
	if (held_locks() != LA_LOCKS)
		return 2;
	la_unlock_all();
	return held_locks() ? 3 : 0;
}

static void test_child_starts_free(void **state)
{
	(void)state;
	la_lock(LA_LOCK_MEMORY);
	la_lock_all();
	assert_int_equal(in_child(locks_of_child), 0);
	la_unlock_all();
	la_unlock(LA_LOCK_MEMORY);
	assert_int_equal(held_locks(), 0);
}

/* Forks while others lock and sleep: the children must not hang. */
static uint32_t forks_left;

static void fork_or_lock(unsigned number)
{
	while (number && __atomic_load_n(&forks_left, __ATOMIC_RELAXED)) {
		la_lock(LA_LOCK_NODES);
		la_lock(LA_LOCK_MAPS);
		la_unlock(LA_LOCK_MAPS);
		la_unlock(LA_LOCK_NODES);
	}
	while (!number && forks_left) {
		int status = -1;
		pid_t child;

		la_lock_all();
		child = fork();
		if (!child) {
			la_lock_after_fork();
			la_lock_all();
			la_unlock_all();
			_exit(held_locks() ? 1 : 0);
		}
		la_unlock_all();
		note_unless(child > 0 && waitpid(child, &status, 0) == child);
		note_unless(status == 0);
		__atomic_sub_fetch(&forks_left, 1, __ATOMIC_RELAXED);
	}
}

static void test_fork_among_threads(void **state)
{
	(void)state;
	forks_left = 50;
	crew(4, fork_or_lock);
}

/* ---- signals ---- */

static volatile unsigned handled;

static void handler(int signal)
{
	(void)signal;
	handled++;
}

/* Whether the thread can get the signal now; what is held back comes later. */
static bool gets_signals(void)
{
	unsigned before = handled;

	raise(SIGUSR1);
	return handled > before;
}

static void test_calm(void **state)
{
	sigset_t own, now;

	(void)state;
	signal(SIGUSR1, handler);
	sigemptyset(&own);
	sigaddset(&own, SIGUSR2);
	pthread_sigmask(SIG_SETMASK, &own, NULL);
	assert_true(gets_signals());
	la_calm_begin();
	assert_false(gets_signals());
	la_calm_begin();
	la_calm_end();
	assert_false(gets_signals());
	la_calm_end();
	/* The one that waited has come, and the thread's own mask is back. */
	pthread_sigmask(SIG_SETMASK, NULL, &now);
	assert_int_equal(handled, 2);
	assert_int_equal(sigismember(&now, SIGUSR2), 1);
	assert_int_equal(sigismember(&now, SIGUSR1), 0);
	assert_true(gets_signals());
	sigemptyset(&own);
	pthread_sigmask(SIG_SETMASK, &own, NULL);
}

static void test_calm_while_a_lock_is_held(void **state)
{
	(void)state;
	for (unsigned rank = 0; rank < LA_LOCKS; rank++) {
		bool heap = rank >= LA_LOCK_HEAP &&
			    rank < LA_LOCK_HEAP + LA_HEAP_SHARDS;

		la_lock(rank);
		assert_int_equal(gets_signals(), heap);
		la_unlock(rank);
		assert_true(gets_signals());
	}
}

/* ---- copies that are made without libc ---- */

static unsigned orphans;
static uint32_t keeper_holds, keeper_may_go;

static void orphaned(void)
{
	orphans++;
}

static void *keep_lock(void *unused)
{
	la_lock(LA_LOCK_NODES);
	__atomic_store_n(&keeper_holds, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&keeper_may_go, __ATOMIC_ACQUIRE))
		sched_yield();
	la_unlock(LA_LOCK_NODES);
	return unused;
}

/* Its owner is not there: it must not be waited for. */
static int use_lost_lock(void)
{
	la_lock(LA_LOCK_MAPS);
	la_lock(LA_LOCK_NODES);
	if (!la_lock_held(LA_LOCK_NODES) || orphans != 1)
		return 1;
	/* What it holds itself is not taken from it. */
	if (!la_lock_held(LA_LOCK_MAPS))
		return 2;
	la_unlock(LA_LOCK_NODES);
	la_unlock(LA_LOCK_MAPS);
	return 0;
}

static void test_owner_that_was_not_copied(void **state)
{
	pthread_t keeper;
	long child;
	int status;

	(void)state;
	la_lock_boot(orphaned);
	assert_int_equal(pthread_create(&keeper, NULL, keep_lock, NULL), 0);
	while (!__atomic_load_n(&keeper_holds, __ATOMIC_ACQUIRE))
		sched_yield();
	child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	assert_true(child >= 0);
	if (!child)
		_exit(use_lost_lock());
	assert_int_equal(waitpid((pid_t)child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(orphans, 0);
	__atomic_store_n(&keeper_may_go, 1, __ATOMIC_RELEASE);
	pthread_join(keeper, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_at_a_time),
		cmocka_unit_test(test_sleepers_wake),
		cmocka_unit_test(test_any_held),
		cmocka_unit_test(test_held_by_its_owner_alone),
		cmocka_unit_test(test_all_and_back),
		cmocka_unit_test(test_all_but_what_is_held),
		cmocka_unit_test(test_child_starts_free),
		cmocka_unit_test(test_fork_among_threads),
		cmocka_unit_test(test_calm),
		cmocka_unit_test(test_calm_while_a_lock_is_held),
		cmocka_unit_test(test_owner_that_was_not_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
