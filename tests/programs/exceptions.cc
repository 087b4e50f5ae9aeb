/* build: -O2 */
/*
 * Exceptions that pass through many frames. What allocates meanwhile: the
 * exceptions themselves, destructors on the way, handlers, and frames that are
 * entered in the place of those that were left.
 *
 * usage: exceptions ROUNDS
 */
#include "tests/programs/stacks.h"

#include <cstdio>
#include <stdexcept>
#include <string>

struct guard {
	~guard()
	{
		keep(11);
	}
};

NOINLINE static void throw_at(int depth, int kind)
{
	guard leaves;

	borrow(32);
	if (depth > 0) {
		throw_at(depth - 1, kind);
		borrow(48);
		return;
	}
	if (kind == 0)
		throw std::runtime_error(std::string(100, 'x'));
	if (kind == 1)
		throw 42;
}

NOINLINE static void throw_again(int depth, int kind)
{
	try {
		throw_at(depth, kind);
	} catch (int) {
		keep(22);
		throw;
	}
}

NOINLINE static void catch_all(int depth, int kind)
{
	try {
		throw_again(depth, kind);
	} catch (const std::exception &) {
		keep(33);
	} catch (...) {
		keep(44);
	}
	borrow(64);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 1;

	for (int i = 0; i < rounds; i++)
		catch_all(i % 20, i % 3);
	puts("done");
	return 0;
}
