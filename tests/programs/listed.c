/* build: -ldl */
/*
 * Looks through the loaded objects, during which the loader's list is locked, and
 * has another thread allocate, map and start a thread meanwhile, while it waits
 * for that; right after a library was loaded and unloaded. Then it loads a plugin
 * in C++, whose constructor waits for a thread that uses new and delete; the
 * program itself is not in C++. At last it dumps what is live.
 *
 * usage: listed PLUGIN
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define NOINLINE __attribute__((noinline))

enum { TIMES = 20 };

int leakagent_snapshot(const char *reason) __attribute__((weak));

static sem_t begin, done;
static int objects;

static void *nothing(void *argument)
{
	return argument;
}

NOINLINE static void listed_keep(unsigned depth)
{
	char *volatile block;

	if (depth) {
		listed_keep(depth - 1);
		__asm__ volatile("" : : : "memory");
		return;
	}
	block = malloc(100);
	block = realloc(block, 300);
	block = calloc(1, 50);
	free(block);
}

NOINLINE static void listed_map(void)
{
	void *memory = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(memory, 4096);
}

static void *work(void *unused)
{
	pthread_t thread;

	for (unsigned i = 0; i < TIMES; i++) {
		sem_wait(&begin);
		listed_keep(i);
		listed_map();
		if (!pthread_create(&thread, NULL, nothing, NULL))
			pthread_join(thread, NULL);
		sem_post(&done);
	}
	return unused;
}

static int wait_for_the_other(struct dl_phdr_info *info, size_t size,
			      void *unused)
{
	(void)info, (void)size, (void)unused;
	objects++;
	sem_post(&begin);
	while (sem_wait(&done))
		;
	listed_keep(1);
	return 1;
}

/* The loader allocates and frees meanwhile. */
static void load_and_unload(void)
{
	void *library = dlopen("libz.so.1", RTLD_NOW);

	if (library)
		dlclose(library);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	void *plugin;

	if (argc != 2)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	sem_init(&begin, 0, 0);
	sem_init(&done, 0, 0);
	pthread_create(&thread, NULL, work, NULL);
	for (int i = 0; i < TIMES; i++) {
		load_and_unload();
		dl_iterate_phdr(wait_for_the_other, NULL);
	}
	pthread_join(thread, NULL);
	printf("looked at %d objects\n", objects);
	plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
	puts(plugin ? "loaded" : dlerror());
	if (leakagent_snapshot)
		leakagent_snapshot("listed");
	return 0;
}
