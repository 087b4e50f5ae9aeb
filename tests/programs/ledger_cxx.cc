/* build: -std=c++17 -fsized-deallocation */
/*
 * Allocates through every form of operator new and delete, in several threads,
 * and keeps books of it. Prints what a snapshot must hold, one JSON object a
 * line, in the form of ledger.c.
 *
 * usage: ledger_cxx SEED OPERATIONS [foreign]
 * foreign: another allocator than libc's is at work; nothing is made to fail,
 * since mimalloc 2.0 ends the program where new has to throw, and nothing is
 * empty, since jemalloc 5.3 damages itself when such a block is deleted with
 * its size and alignment.
 */
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <new>
#include <thread>
#include <unistd.h>
#include <vector>

extern "C" int leakagent_snapshot(const char *reason) __attribute__((weak));

namespace
{

constexpr std::align_val_t wide{64};
constexpr std::size_t too_much = SIZE_MAX / 2 - 4096;

struct site {
	const char *name;
	void *(*allocate)(std::size_t);
	void (*release)(void *, std::size_t);
	std::atomic<long> alloc_objects, alloc_bytes, live_objects, live_bytes;
};

struct slot {
	std::mutex lock;
	void *block;
	std::size_t size;
	site *owner;
};

/* Keeps the compiler from pairing new with delete, and the call from being
 * the last thing that the function does. */
inline void *kept(void *block)
{
	asm volatile("" : "+r"(block));
	return block;
}

#define NEW_SITE(name, expression)                                             \
	__attribute__((noinline)) void *name(std::size_t size)                 \
	{                                                                      \
		return kept(expression);                                       \
	}
#define DELETE_SITE(name, expression)                                          \
	void name(void *block, std::size_t size)                               \
	{                                                                      \
		(void)size;                                                    \
		expression;                                                    \
	}

NEW_SITE(new_one, ::operator new(size))
NEW_SITE(new_array, ::operator new[](size))
NEW_SITE(new_nothrow, ::operator new(size, std::nothrow))
NEW_SITE(new_array_nothrow, ::operator new[](size, std::nothrow))
NEW_SITE(new_aligned, ::operator new(size, wide))
NEW_SITE(new_array_aligned, ::operator new[](size, wide))
NEW_SITE(new_aligned_nothrow, ::operator new(size, wide, std::nothrow))
NEW_SITE(new_array_aligned_nothrow, ::operator new[](size, wide, std::nothrow))

DELETE_SITE(delete_one, ::operator delete(block))
DELETE_SITE(delete_sized, ::operator delete(block, size))
DELETE_SITE(delete_nothrow, ::operator delete(block, std::nothrow))
DELETE_SITE(delete_array, ::operator delete[](block))
DELETE_SITE(delete_array_sized, ::operator delete[](block, size))
DELETE_SITE(delete_array_nothrow, ::operator delete[](block, std::nothrow))
DELETE_SITE(delete_aligned, ::operator delete(block, wide))
DELETE_SITE(delete_aligned_sized, ::operator delete(block, size, wide))
DELETE_SITE(delete_aligned_nothrow,
	    ::operator delete(block, wide, std::nothrow))
DELETE_SITE(delete_array_aligned, ::operator delete[](block, wide))
DELETE_SITE(delete_array_aligned_sized, ::operator delete[](block, size, wide))
DELETE_SITE(delete_array_aligned_nothrow,
	    ::operator delete[](block, wide, std::nothrow))

#define SITE(allocate, release)                                                \
	{                                                                      \
		#allocate, allocate, release, {}, {}, {}, {}                   \
	}

/* Each function that allocates stands here once: its books are one stack's.
 * sized_release holds the other form that may release what it gives. */
std::array<site, 8> sites{{
	SITE(new_one, delete_one),
	SITE(new_array, delete_array),
	SITE(new_nothrow, delete_nothrow),
	SITE(new_array_nothrow, delete_array_nothrow),
	SITE(new_aligned, delete_aligned),
	SITE(new_array_aligned, delete_array_aligned),
	SITE(new_aligned_nothrow, delete_aligned_nothrow),
	SITE(new_array_aligned_nothrow, delete_array_aligned_nothrow),
}};

/* The sized forms, in the order of `sites`. */
void (*const sized_release[])(void *, std::size_t) = {
	delete_sized,	      delete_array_sized,
	delete_sized,	      delete_array_sized,
	delete_aligned_sized, delete_array_aligned_sized,
	delete_aligned_sized, delete_array_aligned_sized,
};

std::array<slot, 500> slots;
unsigned long operations;
bool foreign;
std::atomic<bool> broken;

void must(bool condition, const char *what)
{
	if (!condition) {
		std::fprintf(stderr, "ledger_cxx: not so: %s\n", what);
		broken = true;
	}
}

void fill(slot &slot, std::uint64_t random)
{
	site &site = sites[random % sites.size()];

	slot.size = random / 64 % 10 ? random / 1024 % 600 : 200000;
	if (foreign && !slot.size)
		slot.size = 1;
	slot.block = site.allocate(slot.size);
	must(slot.block, "new gives a block");
	slot.owner = &site;
	site.alloc_objects++;
	site.alloc_bytes += static_cast<long>(slot.size);
	site.live_objects++;
	site.live_bytes += static_cast<long>(slot.size);
}

void empty(slot &slot, std::uint64_t random)
{
	site &site = *slot.owner;

	site.live_objects--;
	site.live_bytes -= static_cast<long>(slot.size);
	if (random / 64 % 2)
		sized_release[&site - sites.data()](slot.block, slot.size);
	else
		site.release(slot.block, slot.size);
	slot.block = nullptr;
}

/* Nothing of a failure may be counted, and tracking must go on after it. */
template <typename Allocate> void must_throw(Allocate allocate)
{
	try {
		kept(allocate());
		must(false, "too much memory is refused");
	} catch (const std::bad_alloc &) {
	}
}

void fail()
{
	volatile std::size_t size = too_much;

	must_throw([&] { return ::operator new(size); });
	must_throw([&] { return ::operator new[](size); });
	must_throw([&] { return ::operator new(size, wide); });
	must(!kept(::operator new(size, std::nothrow)), "nothrow gives null");
	must(!kept(::operator new[](size, std::nothrow)), "nothrow gives null");
}

__attribute__((noinline)) void worker(std::uint64_t random)
{
	for (unsigned long i = 0; i < operations; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		if (random % 1000 == 0 && !foreign)
			fail();
		slot &slot = slots[random / 8 % slots.size()];
		std::lock_guard<std::mutex> guard(slot.lock);
		if (slot.block)
			empty(slot, random);
		else
			fill(slot, random / 512);
	}
}

void report(const char *reason)
{
	const char *separator = "";

	std::printf("{\"reason\": \"%s\", \"pid\": %d, \"stacks\": [\n ", reason,
		    static_cast<int>(getpid()));
	for (const site &site : sites) {
		std::printf("%s{\"kind\": \"heap\", \"frames\": [\"%s\"], "
			    "\"values\": [%ld, %ld, %ld, %ld]}",
			    separator, site.name, site.alloc_objects.load(),
			    site.alloc_bytes.load(), site.live_objects.load(),
			    site.live_bytes.load());
		separator = ",\n ";
	}
	std::puts("]}");
	std::fflush(stdout);
	if (leakagent_snapshot)
		must(!leakagent_snapshot(reason), "a snapshot is written");
}

} // namespace

int main(int argc, char **argv)
{
	if (argc != 3 && argc != 4) {
		std::fputs("usage: ledger_cxx SEED OPERATIONS [foreign]\n",
			   stderr);
		return 2;
	}
	std::uint64_t seed = std::strtoull(argv[1], nullptr, 10);
	operations = std::strtoul(argv[2], nullptr, 10);
	foreign = argc == 4;
	std::vector<std::thread> threads;
	for (std::uint64_t i = 0; i < 4; i++)
		threads.emplace_back(worker, seed * 1000 + i + 1);
	for (std::thread &thread : threads)
		thread.join();
	report("cxx");
	return broken;
}
