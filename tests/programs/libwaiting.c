/* build: -Wl,--no-as-needed -lstdc++ */
/*
 * A plugin whose constructor waits for a thread that allocates in the C++ way.
 * The loader's lock is held meanwhile. By the operators' mangled names, so that
 * the compiler leaves them in.
 */
#include <pthread.h>
#include <stddef.h>

void *_Znwm(size_t size);
void *_Znam(size_t size);
void _ZdlPv(void *block);
void _ZdaPv(void *block);

static void *work(void *unused)
{
	_ZdlPv(_Znwm(10));
	_ZdaPv(_Znam(10));
	return unused;
}

__attribute__((constructor)) static void start(void)
{
	pthread_t thread;

	if (!pthread_create(&thread, NULL, work, NULL))
		pthread_join(thread, NULL);
}
