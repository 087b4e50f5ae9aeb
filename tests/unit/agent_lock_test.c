/* The agent's locks: one holder, sleepers that wake, and fork. */
#include "agent/lock.h"

#include "tests/support/agent_check.h"

#include <sched.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_at_a_time),
		cmocka_unit_test(test_sleepers_wake),
		cmocka_unit_test(test_held_by_its_owner_alone),
		cmocka_unit_test(test_all_and_back),
		cmocka_unit_test(test_all_but_what_is_held),
		cmocka_unit_test(test_child_starts_free),
		cmocka_unit_test(test_fork_among_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
