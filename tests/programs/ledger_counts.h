/*
 * The ledger's books: what every stack of the ledger program has allocated,
 * counted by the program itself, and the functions that make the stacks
 * distinct. What is allocated stands in ledger_heap.h, ledger_maps.h and
 * ledger_threads.h.
 *
 * A stack is: a site (the function that calls malloc, mmap, ...), a path (some
 * via_ functions) and a root (main or worker).
 */
#ifndef LEDGER_COUNTS_H
#define LEDGER_COUNTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Says which promise was broken and ends: the test then fails. */
#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__,       \
				__LINE__, #condition);                         \
			_exit(1);                                              \
		}                                                              \
	} while (0)

struct count {
	atomic_long alloc_objects, alloc_bytes, live_objects, live_bytes;
};

enum root { ROOT_MAIN, ROOT_WORKER, ROOTS };

static const char *const root_names[ROOTS] = { "main", "worker" };
static __thread enum root root;

/* Two bits a step: 1 = via_red, 2 = via_green, 3 = via_blue. */
static const unsigned paths[] = { 0x0, 0x1, 0x2, 0x3, 0x6, 0x9, 0x1b, 0x27d };

#define PATHS COUNT_OF(paths)

/* One call of a site: what it wants, what it got. */
struct job {
	void (*site)(struct job *);
	void *old;
	size_t size;
	size_t old_size;
	size_t alignment;
	void *result;
	int failed;
	unsigned steps;
};

struct site {
	const char *name;
	void (*call)(struct job *);
	struct count counts[ROOTS][PATHS];
};

#define SITE(function)                                                         \
	{                                                                      \
		.name = #function, .call = function                            \
	}

static inline void count_alloc(struct count *count, size_t bytes)
{
	count->alloc_objects++;
	count->alloc_bytes += (long)bytes;
	count->live_objects++;
	count->live_bytes += (long)bytes;
}

static inline void count_free(struct count *count, size_t bytes)
{
	count->live_objects--;
	count->live_bytes -= (long)bytes;
}

/* xorshift: the same seed gives the same order of operations. */
struct random {
	uint64_t state;
};

static inline unsigned random_below(struct random *random, unsigned limit)
{
	random->state ^= random->state << 13;
	random->state ^= random->state >> 7;
	random->state ^= random->state << 17;
	return (unsigned)(random->state >> 20) % limit;
}

static void take_path(unsigned path, struct job *job);

/* What follows each call keeps the caller's frame on the stack, and differs so
 * that the compiler does not make the three one function. */
NOINLINE static void via_red(unsigned path, struct job *job)
{
	take_path(path, job);
	job->steps += 1;
}

NOINLINE static void via_green(unsigned path, struct job *job)
{
	take_path(path, job);
	job->steps += 2;
}

NOINLINE static void via_blue(unsigned path, struct job *job)
{
	take_path(path, job);
	job->steps += 3;
}

__attribute__((always_inline)) static inline void take_path(unsigned path,
							     struct job *job)
{
	switch (path & 3) {
	case 1:
		via_red(path >> 2, job);
		break;
	case 2:
		via_green(path >> 2, job);
		break;
	case 3:
		via_blue(path >> 2, job);
		break;
	default:
		job->site(job);
	}
}

/* Calls the site by a random path; returns the books of that stack. */
static inline struct count *call_site(struct site *site, struct random *random,
				      struct job *job)
{
	unsigned path = random_below(random, PATHS);

	job->site = site->call;
	take_path(paths[path], job);
	return &site->counts[root][path];
}

static inline void print_stack(const char *kind, const struct site *site,
			       unsigned path, enum root from)
{
	static const char *const via[] = { "", "via_red", "via_green",
					   "via_blue" };
	const char *names[16];
	int used = 0;

	for (unsigned rest = paths[path]; rest; rest >>= 2)
		names[used++] = via[rest & 3];
	printf("{\"kind\": \"%s\", \"frames\": [\"%s\"", kind, site->name);
	while (used)
		printf(", \"%s\"", names[--used]);
	printf(", \"operate\", \"%s\"]", root_names[from]);
}

/* The books of some sites: a JSON object for each stack that was used. */
static inline void print_sites(const char *kind, struct site *sites,
			       size_t count, const char **separator)
{
	for (size_t i = 0; i < count * ROOTS * PATHS; i++) {
		struct site *site = &sites[i / (ROOTS * PATHS)];
		enum root from = (enum root)(i / PATHS % ROOTS);
		unsigned path = (unsigned)(i % PATHS);
		struct count *books = &site->counts[from][path];

		if (!books->alloc_objects)
			continue;
		printf("%s", *separator);
		*separator = ",\n ";
		print_stack(kind, site, path, from);
		printf(", \"values\": [%ld, %ld, %ld, %ld]}",
		       books->alloc_objects, books->alloc_bytes,
		       books->live_objects, books->live_bytes);
	}
}

#endif
