/* build: -O2 */
/*
 * Allocates and frees in pairs, at a given depth of the stack, and tells what
 * a pair costs. The blocks are of 16 to 256 bytes; a pair replaces one of a
 * fixed number of live blocks, chosen at random.
 *
 * usage: bench_pairs [NAME=NUMBER]...
 *
 *   depth=26     frames of the stacks, libc's own included
 *   live=1024    live blocks of each thread
 *   threads=1    each on a core of its own, as far as there are cores; a single
 *                one is the program's first, so that the process has no other
 *   swing=0      so many innermost frames are left and entered anew, by one of
 *                two ways each, before every pair
 *   handover=0   1: every other thread only allocates, the next one frees
 *   ms=200       how long
 *
 * It prints pairs=, cpu_ns= (a pair's CPU time, of these threads), process_ns=
 * (of the whole process, with the profiler's threads), wall_ns= (how long a
 * thread, or two that hand over, took for one).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOINLINE __attribute__((noinline))
#define INLINE __attribute__((always_inline)) static inline
#define SMALLEST 16
#define LARGEST 256
#define SLICE 1024     /* pairs between two looks at the clock */
#define WARM_UP 16384  /* pairs */
#define BATCHES 4      /* that a belt consists of */
#define MAX_THREADS 256

/* Frames beside those of descend_*: work, loop and pairs; and before them
 * _start, two of libc's and main, or clone3 and start_thread. */
#define OWN_FRAMES 3
#define MAIN_FRAMES 4
#define THREAD_FRAMES 2

static unsigned long depth = 26, live = 1024, threads = 1, swing, handover,
		     milliseconds = 200;

/* Blocks on their way from one thread to another; NULL is the end. */
struct belt {
	void **slots; /* as many as live blocks */
	sem_t empty, full; /* batches */
};

struct worker {
	void **blocks; /* when it both allocates and frees, else NULL: */
	struct belt *belt;
	bool takes; /* from the belt, and frees */
	unsigned long place; /* on the belt */
	uint64_t random;
	unsigned long pairs, levels;
	uint64_t cpu_ns;
	int number;
};

static pthread_barrier_t barrier;
static uint64_t wall_ns, process_ns; /* when it started, then how long */
static volatile unsigned steps;

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

INLINE uint64_t next_random(struct worker *worker)
{
	worker->random ^= worker->random << 13;
	worker->random ^= worker->random >> 7;
	worker->random ^= worker->random << 17;
	return worker->random;
}

INLINE void *new_block(uint64_t random)
{
	size_t size = SMALLEST + (random >> 40) % (LARGEST - SMALLEST + 1);
	char *volatile block = malloc(size);

	if (!block)
		abort();
	block[0] = 1;
	return block;
}

static void wait_for_batch(sem_t *batches)
{
	while (sem_wait(batches) && errno == EINTR)
		;
}

/* The slot at its place on the belt; the other thread is through with it. */
INLINE void **reach_slot(struct worker *worker, sem_t *batches)
{
	unsigned long place = worker->place % live;

	if (place % (live / BATCHES) == 0)
		wait_for_batch(batches);
	return &worker->belt->slots[place];
}

INLINE void leave_slot(struct worker *worker, sem_t *batches)
{
	if (++worker->place % (live / BATCHES) == 0)
		sem_post(batches);
}

INLINE void replace(struct worker *worker)
{
	uint64_t random = next_random(worker);
	void **slot = &worker->blocks[random % live];

	free(*slot);
	*slot = new_block(random);
}

INLINE void put(struct worker *worker)
{
	void **slot = reach_slot(worker, &worker->belt->empty);

	*slot = new_block(next_random(worker));
	leave_slot(worker, &worker->belt->full);
}

INLINE bool take(struct worker *worker)
{
	void **slot = reach_slot(worker, &worker->belt->full);

	if (!*slot)
		return false;
	free(*slot);
	leave_slot(worker, &worker->belt->empty);
	return true;
}

static void put_the_end(struct worker *worker)
{
	*reach_slot(worker, &worker->belt->empty) = NULL;
	sem_post(&worker->belt->full);
}

/* Does this much; false once there is nothing more to take. */
NOINLINE static bool pairs(struct worker *worker, unsigned long count)
{
	bool more = true;

	while (count-- && more) {
		if (worker->blocks)
			replace(worker);
		else if (worker->takes)
			more = take(worker);
		else
			put(worker);
	}
	steps++;
	return more;
}

typedef bool visitor(struct worker *worker, unsigned long count);

static bool descend_left(struct worker *worker, unsigned long levels,
			 uint64_t way, visitor *visit);
static bool descend_right(struct worker *worker, unsigned long levels,
			  uint64_t way, visitor *visit);

/* Calls visit so many levels further down. */
INLINE bool descend(struct worker *worker, unsigned long levels, uint64_t way,
		    visitor *visit)
{
	if (!levels)
		return visit(worker, 1);
	if (way & 1)
		return descend_right(worker, levels - 1, way >> 1, visit);
	return descend_left(worker, levels - 1, way >> 1, visit);
}

NOINLINE static bool descend_left(struct worker *worker, unsigned long levels,
				  uint64_t way, visitor *visit)
{
	bool more = descend(worker, levels, way, visit);

	steps += 1;
	return more;
}

NOINLINE static bool descend_right(struct worker *worker, unsigned long levels,
				   uint64_t way, visitor *visit)
{
	bool more = descend(worker, levels, way, visit);

	steps += 2;
	return more;
}

INLINE bool slice(struct worker *worker, unsigned long count)
{
	bool more = true;

	worker->pairs += count;
	if (!swing)
		return pairs(worker, count);
	while (count-- && more)
		more = descend(worker, swing, next_random(worker), pairs);
	return more;
}

/* Together with the others; the first one looks at the clocks, too. */
static void start_clocks(struct worker *worker)
{
	pthread_barrier_wait(&barrier);
	if (!worker->number) {
		wall_ns = now_ns(CLOCK_MONOTONIC);
		process_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	}
	pthread_barrier_wait(&barrier);
	worker->cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void stop_clocks(struct worker *worker)
{
	worker->cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - worker->cpu_ns;
	pthread_barrier_wait(&barrier);
	if (!worker->number) {
		wall_ns = now_ns(CLOCK_MONOTONIC) - wall_ns;
		process_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID) - process_ns;
	}
}

static bool time_is_up(void)
{
	return now_ns(CLOCK_MONOTONIC) - wall_ns > milliseconds * 1000000;
}

NOINLINE static bool loop(struct worker *worker, unsigned long rounds)
{
	for (unsigned long i = 0; worker->blocks && i < live; i++)
		worker->blocks[i] = new_block(next_random(worker));
	/* Whole rounds on the belt, so that nobody waits at the barrier for
	 * a batch. */
	rounds *= (WARM_UP + live - 1) / live;
	slice(worker, rounds * live);
	worker->pairs = 0;
	start_clocks(worker);
	while (slice(worker, SLICE) && (worker->takes || !time_is_up()))
		;
	if (worker->belt && !worker->takes)
		put_the_end(worker);
	stop_clocks(worker);
	return true;
}

/* To a core of its own, as far as there are some. */
static void pin(int number)
{
	cpu_set_t allowed, own;
	int core = 0;

	sched_getaffinity(0, sizeof(allowed), &allowed);
	for (int left = number % CPU_COUNT(&allowed);; core++)
		if (CPU_ISSET(core, &allowed) && !left--)
			break;
	CPU_ZERO(&own);
	CPU_SET(core, &own);
	sched_setaffinity(0, sizeof(own), &own);
}

NOINLINE static void *work(void *argument)
{
	struct worker *worker = argument;

	pin(worker->number);
	descend(worker, worker->levels, 0, loop);
	return NULL;
}

static unsigned long levels_below(unsigned long frames)
{
	frames += OWN_FRAMES + swing;
	return depth > frames ? depth - frames : 0;
}

static struct belt *new_belt(void)
{
	struct belt *belt = malloc(sizeof(*belt));

	if (!belt)
		abort();
	belt->slots = calloc(live, sizeof(*belt->slots));
	if (!belt->slots || sem_init(&belt->empty, 0, BATCHES) ||
	    sem_init(&belt->full, 0, 0))
		abort();
	return belt;
}

static void prepare(struct worker *workers)
{
	unsigned long above = threads > 1 ? THREAD_FRAMES : MAIN_FRAMES;

	for (unsigned i = 0; i < threads; i++) {
		struct worker *worker = &workers[i];

		worker->number = (int)i;
		worker->random = 88172645463325252 + i * 7919;
		worker->levels = levels_below(above);
		if (handover) {
			worker->takes = i % 2;
			worker->belt = i % 2 ? workers[i - 1].belt :
					       new_belt();
			continue;
		}
		worker->blocks = calloc(live, sizeof(void *));
		if (!worker->blocks)
			abort();
	}
}

static void work_in_threads(struct worker *workers)
{
	pthread_t handles[MAX_THREADS];

	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&handles[i], NULL, work, &workers[i]))
			abort();
	for (unsigned i = 0; i < threads; i++)
		pthread_join(handles[i], NULL);
}

static void report(const struct worker *workers)
{
	double lanes = (double)(handover ? threads / 2 : threads);
	double total = 0, cpu_ns = 0;

	for (unsigned i = 0; i < threads; i++) {
		cpu_ns += (double)workers[i].cpu_ns;
		total += workers[i].takes ? 0 : (double)workers[i].pairs;
	}
	printf("pairs=%.0f cpu_ns=%.2f process_ns=%.2f wall_ns=%.2f\n", total,
	       cpu_ns / total, (double)process_ns / total,
	       (double)wall_ns * lanes / total);
}

static bool read_option(const char *word)
{
	static const struct {
		const char *name;
		unsigned long *value;
	} options[] = {
		{ "depth=", &depth },       { "live=", &live },
		{ "threads=", &threads },   { "swing=", &swing },
		{ "handover=", &handover }, { "ms=", &milliseconds },
	};

	for (unsigned i = 0; i < sizeof(options) / sizeof(*options); i++) {
		size_t length = strlen(options[i].name);
		char *end;

		if (strncmp(word, options[i].name, length))
			continue;
		*options[i].value = strtoul(word + length, &end, 10);
		return word[length] && !*end;
	}
	return false;
}

static bool options_fit(void)
{
	return threads && threads <= MAX_THREADS && live &&
	       (!handover || (threads % 2 == 0 && live % BATCHES == 0));
}

int main(int argc, char **argv)
{
	static struct worker workers[MAX_THREADS];

	for (int i = 1; i < argc; i++)
		if (!read_option(argv[i])) {
			fprintf(stderr, "bench_pairs: %s is no option\n",
				argv[i]);
			return 2;
		}
	if (!options_fit()) {
		fputs("bench_pairs: handover=1 needs an even number of threads "
		      "and live blocks by fours\n", stderr);
		return 2;
	}
	prepare(workers);
	pthread_barrier_init(&barrier, NULL, (unsigned)threads);
	if (threads == 1)
		work(&workers[0]);
	else
		work_in_threads(workers);
	report(workers);
	return 0;
}
