/* The host's threads: each is live until nobody can join it any more. */
#include "agent/sites.h"
#include "agent/threads.h"

#include "tests/support/agent_check.h"

#include <string.h>

enum { MOST_SITES = 64 };

static uint32_t live[MOST_SITES + 1];

static void count_live(void *argument, uint32_t site)
{
	(void)argument;
	if (site <= MOST_SITES)
		live[site]++;
}

static uint32_t live_at(uint32_t site)
{
	memset(live, 0, sizeof(live));
	la_threads_walk(count_live, NULL);
	return live[site];
}

static uint32_t new_site(void)
{
	static uint32_t frame = 100;

	return la_sites_other(la_node_find(LA_ROOT_NODE, ++frame),
			      LA_KIND_ID_THREAD, 8 << 20);
}

static uint64_t ever(uint32_t site)
{
	assert_int_equal(la_site_at(site)->allocated.bytes, 0);
	return la_site_at(site)->allocated.objects;
}

static pthread_t id_of(uintptr_t number)
{
	return (pthread_t)(0x7f0000000000 + number * 4096);
}

static void test_joined(void **state)
{
	uint32_t site = new_site();
	struct la_host_thread *thread = la_threads_prepare(site, false);

	(void)state;
	/* A snapshot has no more live ones than were ever created. */
	assert_int_equal(live_at(site), 0);
	assert_int_equal(ever(site), 0);
	la_threads_began(thread, id_of(1));
	assert_int_equal(live_at(site), 1);
	assert_int_equal(ever(site), 1);
	la_threads_created(thread, id_of(1));
	assert_int_equal(ever(site), 1);
	la_threads_ended(thread);
	/* Its stack stays until somebody joins it. */
	assert_int_equal(live_at(site), 1);
	assert_ptr_equal(la_threads_find(id_of(1)), thread);
	la_threads_joined(thread);
	assert_int_equal(live_at(site), 0);
	assert_null(la_threads_find(id_of(1)));
	assert_int_equal(ever(site), 1);
}

static void test_created_detached(void **state)
{
	uint32_t site = new_site();
	struct la_host_thread *thread = la_threads_prepare(site, true);

	(void)state;
	la_threads_created(thread, id_of(2));
	la_threads_began(thread, id_of(2));
	assert_int_equal(live_at(site), 1);
	la_threads_ended(thread);
	assert_int_equal(live_at(site), 0);
	assert_int_equal(ever(site), 1);
}

static void test_detached_while_it_runs(void **state)
{
	uint32_t site = new_site();
	struct la_host_thread *thread = la_threads_prepare(site, false);

	(void)state;
	la_threads_created(thread, id_of(3));
	la_threads_began(thread, id_of(3));
	la_threads_detached(thread);
	assert_int_equal(live_at(site), 1);
	la_threads_ended(thread);
	assert_int_equal(live_at(site), 0);
}

static void test_detached_after_its_end(void **state)
{
	uint32_t site = new_site();
	struct la_host_thread *thread = la_threads_prepare(site, false);

	(void)state;
	la_threads_created(thread, id_of(4));
	la_threads_began(thread, id_of(4));
	la_threads_ended(thread);
	assert_int_equal(live_at(site), 1);
	la_threads_detached(thread);
	assert_int_equal(live_at(site), 0);
}

static void test_creation_that_failed(void **state)
{
	uint32_t site = new_site();
	struct la_host_thread *thread = la_threads_prepare(site, false);

	(void)state;
	la_threads_cancel(thread);
	assert_int_equal(live_at(site), 0);
	assert_int_equal(ever(site), 0);
}

/* It has ended, and gone, before pthread_create returns to its creator. */
static void test_over_before_its_creator_knows(void **state)
{
	uint32_t site = new_site(), other_site = new_site();
	struct la_host_thread *thread = la_threads_prepare(site, true), *other;

	(void)state;
	la_threads_began(thread, id_of(5));
	la_threads_ended(thread);
	assert_int_equal(live_at(site), 0);
	/* The record must not be another's yet; the id may. */
	other = la_threads_prepare(other_site, false);
	assert_ptr_not_equal(other, thread);
	la_threads_began(other, id_of(5));
	la_threads_created(thread, id_of(5));
	assert_int_equal(ever(site), 1);
	assert_int_equal(live_at(site), 0);
	assert_ptr_equal(la_threads_find(id_of(5)), other);
	la_threads_created(other, id_of(5));
	assert_int_equal(live_at(other_site), 1);
	la_threads_ended(other);
	la_threads_joined(other);
	assert_int_equal(live_at(other_site), 0);
}

static void test_joined_before_its_creator_knows(void **state)
{
	uint32_t site = new_site();
	struct la_host_thread *thread = la_threads_prepare(site, false);

	(void)state;
	la_threads_began(thread, id_of(6));
	la_threads_ended(thread);
	la_threads_joined(la_threads_find(id_of(6)));
	assert_int_equal(live_at(site), 0);
	la_threads_created(thread, id_of(6));
	assert_int_equal(live_at(site), 0);
	assert_null(la_threads_find(id_of(6)));
}

static void test_joined_twice(void **state)
{
	uint32_t site = new_site();
	struct la_host_thread *thread = la_threads_prepare(site, false);

	(void)state;
	la_threads_created(thread, id_of(7));
	la_threads_ended(thread);
	la_threads_joined(thread);
	la_threads_joined(thread);
	la_threads_detached(thread);
	assert_int_equal(live_at(site), 0);
	/* The list of records that can be used again is still whole. */
	struct la_host_thread *a = la_threads_prepare(site, false);
	struct la_host_thread *b = la_threads_prepare(site, false);

	assert_ptr_not_equal(a, b);
	la_threads_created(a, id_of(70));
	la_threads_created(b, id_of(71));
	assert_int_equal(live_at(site), 2);
	la_threads_joined(a);
	la_threads_joined(b);
	assert_int_equal(live_at(site), 0);
}

/* Released twice while its creator still has the record, which is on no list. */
static void test_joined_twice_before_its_creator_knows(void **state)
{
	uint32_t site = new_site(), other_site = new_site();
	struct la_host_thread *thread = la_threads_prepare(site, false), *other;

	(void)state;
	la_threads_began(thread, id_of(8));
	la_threads_ended(thread);
	la_threads_joined(thread);
	other = la_threads_prepare(other_site, false);
	la_threads_created(other, id_of(80));
	la_threads_joined(thread);
	assert_int_equal(live_at(other_site), 1);
	la_threads_created(thread, id_of(8));
	assert_int_equal(live_at(other_site), 1);
	la_threads_joined(other);
	assert_int_equal(live_at(other_site), 0);
}

/*
 * The system gives an id away again once its thread is joined: the joiner's
 * word of it, and the creator's, may come later than the next owner's.
 */
static void test_id_of_another_again(void **state)
{
	uint32_t site = new_site();
	struct la_host_thread *next = la_threads_prepare(site, false);
	struct la_host_thread *first = la_threads_prepare(site, false);

	(void)state;
	la_threads_began(first, id_of(60));
	la_threads_ended(first);
	la_threads_began(next, id_of(60));
	assert_ptr_equal(la_threads_find(id_of(60)), next);
	la_threads_created(first, id_of(60));
	assert_ptr_equal(la_threads_find(id_of(60)), next);
	la_threads_created(next, id_of(60));
	la_threads_joined(first);
	assert_int_equal(live_at(site), 1);
	assert_ptr_equal(la_threads_find(id_of(60)), next);
	la_threads_joined(next);
	assert_int_equal(live_at(site), 0);
}

static void test_unknown_id(void **state)
{
	(void)state;
	assert_null(la_threads_find(id_of(999)));
}

static void test_found_among_many(void **state)
{
	enum { MANY = 500 };
	static struct la_host_thread *threads[MANY];
	uint32_t site = new_site();

	(void)state;
	for (uintptr_t i = 0; i < MANY; i++) {
		threads[i] = la_threads_prepare(site, false);
		la_threads_created(threads[i], id_of(1000 + i));
	}
	assert_int_equal(live_at(site), MANY);
	/* Out of the middle and from both ends. */
	for (uintptr_t i = 0; i < MANY; i += 3) {
		assert_ptr_equal(la_threads_find(id_of(1000 + i)), threads[i]);
		la_threads_joined(threads[i]);
	}
	for (uintptr_t i = 0; i < MANY; i++)
		assert_ptr_equal(la_threads_find(id_of(1000 + i)),
				 i % 3 ? threads[i] : NULL);
	for (uintptr_t i = 0; i < MANY; i++)
		if (i % 3)
			la_threads_joined(threads[i]);
	assert_int_equal(live_at(site), 0);
	assert_int_equal(ever(site), MANY);
}

/* ---- fork ---- */

static uint32_t own_site, lost_site;

static int live_of_child(void)
{
	la_threads_after_fork();
	if (live_at(own_site) != 1 || live_at(lost_site))
		return 1;
	la_threads_joined(la_threads_find(pthread_self()));
	return live_at(own_site) ? 2 : 0;
}

static void test_child_has_the_forking_thread_alone(void **state)
{
	struct la_host_thread *own, *others[3];

	(void)state;
	own_site = new_site();
	lost_site = new_site();
	others[0] = la_threads_prepare(lost_site, false);
	own = la_threads_prepare(own_site, false);
	la_threads_created(own, pthread_self());
	others[1] = la_threads_prepare(lost_site, false);
	la_threads_created(others[1], id_of(20));
	others[2] = la_threads_prepare(lost_site, true);
	la_threads_created(others[2], id_of(21));
	assert_int_equal(in_child(live_of_child), 0);
	assert_int_equal(live_at(own_site), 1);
	assert_int_equal(live_at(lost_site), 2);
	la_threads_joined(own);
	la_threads_cancel(others[0]);
	la_threads_joined(others[1]);
	la_threads_ended(others[2]);
	assert_int_equal(live_at(lost_site), 0);
}

/* ---- real threads ---- */

enum { CREATORS = 4, ROUNDS = 300 };

static uint32_t crew_site;

static void *begin_and_end(void *thread)
{
	la_threads_began(thread, pthread_self());
	la_threads_ended(thread);
	return NULL;
}

static void create_and_release(unsigned number)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct la_host_thread *thread =
			la_threads_prepare(crew_site, false);
		pthread_t id;

		note_unless(!pthread_create(&id, NULL, begin_and_end, thread));
		la_threads_created(thread, id);
		note_unless(la_threads_find(id) == thread);
		if ((unsigned)i % 2 == number % 2) {
			pthread_join(id, NULL);
			la_threads_joined(thread);
		} else {
			la_threads_detached(thread);
			pthread_detach(id);
		}
	}
}

static uint32_t live_now(void)
{
	uint32_t count = live_at(crew_site);

	usleep(1000);
	return count;
}

static void test_real_threads(void **state)
{
	(void)state;
	crew_site = new_site();
	crew(CREATORS, create_and_release);
	assert_int_equal(ever(crew_site), CREATORS * ROUNDS);
	/* The detached ones end when they like. */
	while (live_now())
		;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_joined),
		cmocka_unit_test(test_created_detached),
		cmocka_unit_test(test_detached_while_it_runs),
		cmocka_unit_test(test_detached_after_its_end),
		cmocka_unit_test(test_creation_that_failed),
		cmocka_unit_test(test_over_before_its_creator_knows),
		cmocka_unit_test(test_joined_before_its_creator_knows),
		cmocka_unit_test(test_joined_twice),
		cmocka_unit_test(test_joined_twice_before_its_creator_knows),
		cmocka_unit_test(test_id_of_another_again),
		cmocka_unit_test(test_unknown_id),
		cmocka_unit_test(test_found_among_many),
		cmocka_unit_test(test_child_has_the_forking_thread_alone),
		cmocka_unit_test(test_real_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
