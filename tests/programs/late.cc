/*
 * Allocates and frees where threads and programs begin and end: in constructors
 * and destructors of static and of thread-local objects, in those of a thread's
 * own data, round after round, and in handlers that run at exit, all of which
 * come after the agent has looked for the last time, or after the thread's own
 * has gone.
 *
 * usage: late return|exit|quick_exit|thread
 */
#include <pthread.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

extern "C" void late_work(int bytes);
extern "C" void late_keep(int bytes);

extern "C" __attribute__((noinline)) void late_work(int bytes)
{
	std::vector<void *> blocks;

	for (int i = 0; i < 50; i++)
		blocks.push_back(malloc(static_cast<size_t>(bytes + i)));
	for (void *block : blocks)
		free(block);
}

extern "C" __attribute__((noinline)) void late_keep(int bytes)
{
	static void *volatile kept;

	kept = malloc(static_cast<size_t>(bytes));
	if (!kept)
		abort();
}

namespace {

pthread_key_t key;
int rounds;

struct Object {
	explicit Object(const char *name_) : name(name_), block(malloc(1000))
	{
		late_work(10);
	}

	~Object()
	{
		free(block);
		late_work(100);
		printf("%s ends\n", name.c_str());
	}

	std::string name;
	void *block;
};

Object first("a static object that has a long enough name");
thread_local Object of_thread("a thread's object that has a long enough name");

/* Comes again as often as there are rounds. */
void destroy(void *value)
{
	free(value);
	late_work(1000);
	if (rounds++ % 8 < 6)
		pthread_setspecific(key, malloc(64));
}

void run()
{
	of_thread.name += " each";
	pthread_setspecific(key, malloc(32));
	late_work(5);
}

void at_the_end()
{
	late_work(300);
	puts("at the end");
}

} // namespace

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";

	atexit(at_the_end);
	at_quick_exit(at_the_end);
	pthread_key_create(&key, destroy);
	for (int i = 0; i < 20; i++)
		std::thread(run).join();
	run();
	late_keep(4321);
	fflush(stdout);
	if (!strcmp(how, "quick_exit")) {
		quick_exit(4);
	} else if (!strcmp(how, "exit")) {
		exit(3);
	} else if (!strcmp(how, "thread")) {
		/* The last thread ends the process. */
		pthread_t first_thread = pthread_self();

		std::thread([first_thread] {
			pthread_join(first_thread, nullptr);
			run();
		}).detach();
		pthread_exit(nullptr);
	}
	return 2;
}
