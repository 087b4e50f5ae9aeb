/* build: -ldl */
/*
 * Allocates where there is little stack: in threads of the smallest size, in
 * coroutines of 8 KiB, and in a signal handler on an alternate stack. Keeps
 * 100 bytes in each. Right after a library was loaded, too; and besides, threads
 * and handlers map, start threads, and ask for snapshots there.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define COROUTINE_STACK 8192

int leakagent_snapshot(const char *reason) __attribute__((weak));

static ucontext_t coroutine, back;

__attribute__((noinline)) static void keep(void)
{
	char *volatile block = malloc(100);

	if (!block)
		abort();
	block[0] = 1;
}

static void *nothing(void *argument)
{
	return argument;
}

static void map(void)
{
	void *memory = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(memory, 8192);
}

static void start_smallest(void *(*routine)(void *))
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	if (pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN))
		puts("the smallest stack is refused");
	if (pthread_create(&thread, &attributes, routine, NULL))
		puts("no thread");
	else
		pthread_join(thread, NULL);
	pthread_attr_destroy(&attributes);
}

static void snapshot(void)
{
	if (leakagent_snapshot)
		leakagent_snapshot("from a small stack");
}

static void *in_thread(void *argument)
{
	keep();
	map();
	start_smallest(nothing);
	snapshot();
	return argument;
}

/* The loader allocates meanwhile: it is looked through once more. */
static void load_something(void)
{
	void *library = dlopen("libz.so.1", RTLD_NOW);

	if (library)
		dlclose(library);
}

static void run_threads(void)
{
	for (int i = 0; i < 10; i++) {
		load_something();
		start_smallest(in_thread);
	}
	puts("threads");
}

static void run_coroutine(void)
{
	char *stack = malloc(COROUTINE_STACK);

	getcontext(&coroutine);
	coroutine.uc_stack.ss_sp = stack;
	coroutine.uc_stack.ss_size = COROUTINE_STACK;
	coroutine.uc_link = &back;
	makecontext(&coroutine, keep, 0);
	load_something();
	swapcontext(&back, &coroutine);
	free(stack);
	puts("coroutine");
}

static void on_signal(int number)
{
	(void)number;
	keep();
	map();
	snapshot();
}

static void run_handler(void)
{
	stack_t stack = { .ss_size = (size_t)sysconf(_SC_MINSIGSTKSZ) + 4096 };
	struct sigaction action = { .sa_handler = on_signal,
				    .sa_flags = SA_ONSTACK };

	stack.ss_sp = malloc(stack.ss_size);
	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &action, NULL);
	load_something();
	raise(SIGUSR1);
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, NULL);
	free(stack.ss_sp);
	puts("handler");
}

int main(void)
{
	run_threads();
	run_coroutine();
	run_handler();
	return 0;
}
