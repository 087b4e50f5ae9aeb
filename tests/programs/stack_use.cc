/* build: -O2 -fno-builtin -ldl */
/*
 * How much of its stack each operation of the allocator's takes: the stack below
 * is painted first, and looked at afterwards. "known" is what a program does
 * over and over; "new" is done for the first time, from a stack that nobody has
 * seen; "loaded" comes right after a library was loaded. In a thread of the
 * program's, and in a coroutine, of whose stack nobody knows where it ends. Prints
 * bytes, a line for each.
 *
 * usage: stack_use LIBRARY
 */
#include <dlfcn.h>
#include <malloc.h>
#include <new>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#define NOINLINE __attribute__((noinline))
#define KEEP_FRAME __asm__ volatile("" : : : "memory")

namespace {

enum { STACK_BYTES = 256 * 1024, PAINTED = 64 * 1024, OWN = 128, TIMES = 10 };

const unsigned char PAINT = 0xa5;

char stack[STACK_BYTES] __attribute__((aligned(4096)));
ucontext_t measuring, back;
void *volatile block;
const char *library, *where;

void use_malloc()
{
	block = malloc(100);
	free(block);
}

void use_calloc()
{
	block = calloc(7, 100);
	free(block);
}

void use_realloc()
{
	block = malloc(100);
	block = realloc(block, 3000);
	free(block);
}

void use_memalign()
{
	void *aligned = nullptr;

	if (posix_memalign(&aligned, 64, 100) == 0)
		block = aligned;
	free(block);
}

void use_new()
{
	block = ::operator new(100);
	::operator delete(block);
}

void use_mmap()
{
	void *memory = mmap(nullptr, 8192, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(memory, 8192);
}

const struct operation {
	const char *name;
	void (*perform)();
} operations[] = {
	{ "malloc", use_malloc },     { "calloc", use_calloc },
	{ "realloc", use_realloc },   { "posix_memalign", use_memalign },
	{ "operator new", use_new },  { "mmap", use_mmap },
};

/* A stack of its own for each depth. */
NOINLINE void deeper(unsigned depth, void (*perform)())
{
	if (depth)
		deeper(depth - 1, perform);
	else
		perform();
	KEEP_FRAME;
}

NOINLINE size_t bytes_of(void (*perform)(), unsigned depth)
{
	volatile char *top = (volatile char *)__builtin_frame_address(0) - OWN;
	volatile char *at = top;

	while (at > top - PAINTED)
		*--at = (char)PAINT;
	deeper(depth, perform);
	while ((unsigned char)*at == PAINT)
		at++;
	return (size_t)(top + OWN - at);
}

NOINLINE void say(const char *when, const char *name, size_t bytes)
{
	printf("%s, %s %s: %zu\n", where, when, name, bytes);
}

void measure()
{
	static unsigned depth = 3;

	for (const struct operation &operation : operations) {
		size_t least = PAINTED;

		/* What else goes on may make one of them special. */
		for (int i = 0; i < TIMES; i++) {
			size_t bytes = bytes_of(operation.perform, 2);

			if (bytes < least)
				least = bytes;
		}
		say("known", operation.name, least);
	}
	for (const struct operation &operation : operations)
		say("new", operation.name,
		    bytes_of(operation.perform, depth++));
	for (const struct operation &operation : operations) {
		void *handle = dlopen(library, RTLD_NOW);

		say("loaded", operation.name,
		    bytes_of(operation.perform, depth++));
		if (handle)
			dlclose(handle);
	}
}

void *in_thread(void *unused)
{
	where = "thread";
	measure();
	return unused;
}

void in_coroutine()
{
	where = "coroutine";
	getcontext(&measuring);
	measuring.uc_stack.ss_sp = stack;
	measuring.uc_stack.ss_size = sizeof(stack);
	measuring.uc_link = &back;
	makecontext(&measuring, measure, 0);
	swapcontext(&back, &measuring);
}

} // namespace

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc != 2)
		return 2;
	library = argv[1];
	setvbuf(stdout, nullptr, _IONBF, 0);
	if (pthread_create(&thread, nullptr, in_thread, nullptr))
		return 1;
	pthread_join(thread, nullptr);
	in_coroutine();
	return 0;
}
