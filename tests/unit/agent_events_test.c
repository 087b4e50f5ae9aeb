/* What handlers postpone: in order, none lost unless it is counted as such. */
#define _GNU_SOURCE

#include "agent/events.h"

#include "tests/support/agent_check.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

enum { ROOM = 1023 };

static uintptr_t address_of(uint64_t number)
{
	return 0x1000 + 64 * number;
}

static void fill(struct la_event *event, uint64_t number)
{
	event->kind = LA_EVENT_BLOCK;
	event->address = address_of(number);
	event->bytes = number;
	memset(event->frames, 0, sizeof(event->frames));
	event->frames[LA_MOST_FRAMES - 1] = (uint32_t)number;
}

static bool add(struct la_state *state, uint64_t number)
{
	struct la_event *event = la_events_reserve(state);

	if (!event)
		return false;
	fill(event, number);
	la_events_commit(event);
	return true;
}

static void assert_next(struct la_state *state, uint64_t number)
{
	const struct la_event *event = la_events_next(state);

	assert_non_null(event);
	assert_int_equal(event->kind, LA_EVENT_BLOCK);
	assert_int_equal(event->bytes, number);
	assert_int_equal(event->frames[LA_MOST_FRAMES - 1], number);
}

static void test_none_at_first(void **unused)
{
	static struct la_state state;

	(void)unused;
	assert_false(la_events_busy(&state));
	assert_null(la_events_next(&state));
}

static void test_reserved_is_not_there_yet(void **unused)
{
	static struct la_state state;
	uint64_t drops = la_drops();

	(void)unused;
	assert_non_null(la_events_reserve(&state));
	assert_null(la_events_next(&state));
	assert_int_equal(la_drops(), drops + 1); /* its handler has jumped away */
	assert_false(la_events_busy(&state));
	assert_true(add(&state, 1));
	assert_true(la_events_busy(&state));
	assert_next(&state, 1);
	assert_null(la_events_next(&state));
	assert_false(la_events_busy(&state));
}

/* A handler that is interrupted by another one. */
static void test_within_each_other(void **unused)
{
	static struct la_state state;
	struct la_event *outer, *inner;

	(void)unused;
	for (uint64_t i = 0; i < 3 * ROOM; i++) {
		outer = la_events_reserve(&state);
		inner = la_events_reserve(&state);
		assert_ptr_not_equal(outer, inner);
		fill(inner, 2);
		la_events_commit(inner);
		fill(outer, 1);
		la_events_commit(outer);
		assert_next(&state, 1);
		assert_next(&state, 2);
		assert_null(la_events_next(&state));
	}
}

/* What is given back takes no room, unless a later one waits. */
static void test_given_back(void **unused)
{
	static struct la_state state;
	struct la_event *outer;
	uint64_t drops = la_drops();

	(void)unused;
	for (uint64_t i = 0; i < 3 * ROOM; i++) {
		la_events_give_back(&state, la_events_reserve(&state));
		assert_false(la_events_busy(&state));
	}
	outer = la_events_reserve(&state);
	assert_true(la_events_busy(&state));
	assert_true(add(&state, 5));
	la_events_give_back(&state, outer);
	assert_int_equal(la_events_next(&state)->kind, LA_EVENT_DONE);
	assert_true(la_events_busy(&state));
	assert_next(&state, 5);
	assert_true(la_events_busy(&state));
	assert_null(la_events_next(&state));
	assert_false(la_events_busy(&state));
	assert_int_equal(la_drops(), drops);
}

/* Not while another one is being filled in, or taken out. */
static void test_replayable(void **unused)
{
	static struct la_state state;
	struct la_event *outer;

	(void)unused;
	assert_true(add(&state, 1));
	assert_true(la_events_replayable(&state));
	outer = la_events_reserve(&state);
	assert_true(add(&state, 3));
	assert_false(la_events_replayable(&state));
	fill(outer, 2);
	la_events_commit(outer);
	assert_true(la_events_replayable(&state));
	assert_next(&state, 1);
	assert_false(la_events_replayable(&state));
	assert_next(&state, 2);
	assert_next(&state, 3);
	assert_null(la_events_next(&state));
	assert_true(la_events_replayable(&state));
}

/* What waited in a place before does not count for who fills it in now. */
static void test_of_a_block_that_is_gone(void **unused)
{
	static struct la_state state;
	struct la_event *event;

	(void)unused;
	for (uint64_t i = 0; i <= ROOM; i++) {
		assert_true(add(&state, i));
		assert_next(&state, i);
	}
	event = la_events_reserve(&state);
	assert_false(la_events_pass(&state, address_of(0)));
	fill(event, 0);
	la_events_commit(event);
	assert_true(la_events_pass(&state, address_of(0)));
	assert_int_equal(la_events_next(&state)->kind, LA_EVENT_BLOCK_PASSED);
}

static void test_in_order_round_and_round(void **unused)
{
	static struct la_state state;
	uint64_t seed = 1, added = 0, taken = 0;

	(void)unused;
	for (int i = 0; i < 5000; i++) {
		uint64_t more = random_below(&seed, ROOM + 1 - (added - taken));
		uint64_t fewer;

		while (more-- > 0)
			assert_true(add(&state, added++));
		fewer = random_below(&seed, added - taken + 1);
		while (fewer-- > 0)
			assert_next(&state, taken++);
	}
	assert_true(taken > 10000);
	while (taken < added)
		assert_next(&state, taken++);
	assert_null(la_events_next(&state));
}

static void test_overflow_is_counted(void **unused)
{
	static struct la_state state;
	uint64_t drops = la_drops();

	(void)unused;
	for (uint64_t i = 0; i < ROOM; i++)
		assert_true(add(&state, i));
	assert_int_equal(la_drops(), drops);
	assert_false(add(&state, 1000));
	assert_false(add(&state, 1001));
	assert_int_equal(la_drops(), drops + 2);
	assert_next(&state, 0);
	assert_true(add(&state, ROOM));
	for (uint64_t i = 1; i <= ROOM; i++)
		assert_next(&state, i);
	assert_null(la_events_next(&state));
	assert_int_equal(la_drops(), drops + 2);
}

/* A handler may fill the ring while its thread reads the oldest one. */
static void test_the_one_being_read_stays(void **unused)
{
	static struct la_state state;
	const struct la_event *reading;

	(void)unused;
	assert_true(add(&state, 77));
	reading = la_events_next(&state);
	for (uint64_t i = 0; i < ROOM; i++)
		assert_true(add(&state, i));
	assert_false(add(&state, ROOM));
	assert_int_equal(reading->bytes, 77);
	assert_int_equal(reading->frames[LA_MOST_FRAMES - 1], 77);
}

/* ---- a real handler ---- */

enum { SIGNALS = 3000 };

static struct la_state handled;
static uint64_t offered;
static uint32_t done;

/* That of the other signal may interrupt it anywhere. */
static void handler(int signal)
{
	(void)signal;
	add(&handled, __atomic_add_fetch(&offered, 1, __ATOMIC_RELAXED));
}

static void send_or_take(unsigned number)
{
	static pthread_t reader;
	static uint32_t ready;
	uint64_t seen = 0, sum = 0, dropped = la_drops();

	if (number) {
		while (!__atomic_load_n(&ready, __ATOMIC_ACQUIRE))
			sched_yield();
		for (int i = 0; i < SIGNALS; i++) {
			union sigval value = { .sival_int = i };

			while (pthread_sigqueue(reader, SIGRTMIN + i % 2,
						value) ==
			       EAGAIN)
				sched_yield();
		}
		__atomic_store_n(&done, 1, __ATOMIC_RELEASE);
		return;
	}
	reader = pthread_self();
	__atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
	for (;;) {
		bool over = __atomic_load_n(&done, __ATOMIC_ACQUIRE) &&
			    *(volatile uint64_t *)&offered == SIGNALS;
		const struct la_event *event;

		while ((event = la_events_next(&handled))) {
			uint64_t this = event->bytes;

			note_unless(event->frames[LA_MOST_FRAMES - 1] == this);
			sum += this;
			seen++;
		}
		if (over)
			break;
	}
	dropped = la_drops() - dropped;
	note_unless(seen + dropped == SIGNALS);
	note_unless(seen > 0);
	/* None twice. */
	note_unless(dropped || sum == SIGNALS * (SIGNALS + UINT64_C(1)) / 2);
}

static void test_real_handlers(void **unused)
{
	struct sigaction action = { .sa_handler = handler,
				    .sa_flags = SA_RESTART };

	(void)unused;
	for (int i = 0; i < 2; i++)
		assert_int_equal(sigaction(SIGRTMIN + i, &action, NULL), 0);
	crew(2, send_or_take);
	for (int i = 0; i < 2; i++)
		signal(SIGRTMIN + i, SIG_DFL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none_at_first),
		cmocka_unit_test(test_reserved_is_not_there_yet),
		cmocka_unit_test(test_within_each_other),
		cmocka_unit_test(test_given_back),
		cmocka_unit_test(test_replayable),
		cmocka_unit_test(test_of_a_block_that_is_gone),
		cmocka_unit_test(test_in_order_round_and_round),
		cmocka_unit_test(test_overflow_is_counted),
		cmocka_unit_test(test_the_one_being_read_stays),
		cmocka_unit_test(test_real_handlers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
