/* build: -std=gnu++17 */
/*
 * C++ new-handlers: what operator new calls when there is no memory. One throws
 * an exception of its own, one allocates and throws, one frees what it had in
 * reserve, so that operator new succeeds after all, and one gives up its place.
 * What was allocated before, meanwhile and afterwards is in the program's books:
 * it asks for a snapshot and prints, for each function that allocates, what it
 * ever allocated, blocks and bytes, and what of that is live.
 */
#include <new>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

extern "C" int leakagent_snapshot(const char *reason) __attribute__((weak));

#define NOINLINE __attribute__((noinline))
#define KEEP_FRAME __asm__ volatile("" : : : "memory")

namespace {

const size_t TOO_MUCH = SIZE_MAX / 4, RESERVE = size_t(1) << 30;
const int TIMES = 100;

struct out_of_luck {};

int handled, caught;
void *reserve;

} // namespace

/* C names, for the books. */
extern "C" {

NOINLINE void *handlers_keep(size_t size)
{
	void *block = ::operator new(size);

	KEEP_FRAME;
	return block;
}

NOINLINE void *handlers_meanwhile(size_t size)
{
	void *block = malloc(size);

	KEEP_FRAME;
	return block;
}

NOINLINE void *handlers_reserve(size_t size)
{
	void *block = ::operator new[](size);

	KEEP_FRAME;
	return block;
}
}

namespace {

void throw_own()
{
	handled++;
	throw out_of_luck();
}

void allocate_and_throw()
{
	handled++;
	handlers_meanwhile(200);
	free(handlers_meanwhile(100));
	throw std::bad_alloc();
}

void free_the_reserve()
{
	handled++;
	if (!reserve)
		throw std::bad_alloc();
	::operator delete[](reserve);
	reserve = nullptr;
}

void give_up()
{
	handled++;
	std::set_new_handler(nullptr);
}

template <class Exception, class Attempt> void fail(Attempt attempt)
{
	try {
		attempt();
	} catch (const Exception &) {
		caught++;
	}
}

/* In all forms; the nothrow ones call the handler, too. */
template <class Exception> void fail_all()
{
	const auto aligned = std::align_val_t(64);

	fail<Exception>([] { ::operator delete(::operator new(TOO_MUCH)); });
	fail<Exception>([] { ::operator delete[](::operator new[](TOO_MUCH)); });
	fail<Exception>([=] {
		::operator delete(::operator new(TOO_MUCH, aligned), aligned);
	});
	fail<Exception>([=] {
		::operator delete[](::operator new[](TOO_MUCH, aligned),
				    aligned);
	});
}

void fail_quietly()
{
	void *block = ::operator new(TOO_MUCH, std::nothrow);

	printf("nothrow: %s\n", block ? "something" : "nothing");
}

void throwing()
{
	std::set_new_handler(throw_own);
	for (int i = 0; i < TIMES; i++) {
		fail_all<out_of_luck>();
		handlers_keep(10);
	}
}

void allocating()
{
	std::set_new_handler(allocate_and_throw);
	for (int i = 0; i < TIMES; i++) {
		fail_all<std::bad_alloc>();
		handlers_keep(300);
	}
	fail_quietly();
}

size_t bytes_of_address_space()
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (file) {
		if (fscanf(file, "%lu", &pages) != 1)
			abort();
		fclose(file);
	}
	return pages * 4096;
}

/* Room for one reserve and half of another. */
void limit_memory()
{
	rlim_t bytes = bytes_of_address_space() + RESERVE + RESERVE / 2;
	struct rlimit limit = { bytes, bytes };

	setrlimit(RLIMIT_AS, &limit);
}

void freeing()
{
	int before = handled;

	limit_memory();
	std::set_new_handler(free_the_reserve);
	reserve = handlers_reserve(RESERVE);
	::operator delete[](handlers_reserve(RESERVE));
	printf("after %d call, %s reserve\n", handled - before,
	       reserve ? "still a" : "no");
	handlers_keep(5000);
}

void giving_up()
{
	std::set_new_handler(give_up);
	fail<std::bad_alloc>([] { ::operator delete(::operator new(TOO_MUCH)); });
	handlers_keep(7);
}

} // namespace

int main()
{
	throwing();
	allocating();
	freeing();
	giving_up();
	printf("handled %d, caught %d\n", handled, caught);
	if (leakagent_snapshot)
		leakagent_snapshot("books");
	/* The last reserve was freed, too. */
	printf("handlers_keep %d %d %d %d\n", 2 * TIMES + 2,
	       310 * TIMES + 5007, 2 * TIMES + 2, 310 * TIMES + 5007);
	printf("handlers_meanwhile %d %d %d %d\n", 2 * (4 * TIMES + 1),
	       300 * (4 * TIMES + 1), 4 * TIMES + 1, 200 * (4 * TIMES + 1));
	printf("handlers_reserve %d %lu %d %d\n", 2, 2 * RESERVE, 0, 0);
	return 0;
}
