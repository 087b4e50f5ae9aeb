/*
 * See loader.h. glibc has no call that tries the lock, so that is looked for: the
 * one recursive mutex among the loader's data which is the calling thread's
 * while it is in a callback, and nobody's afterwards.
 */

#define _GNU_SOURCE /* dl_iterate_phdr, dladdr1, _dl_find_object */

#include "agent/loader.h"

#include "agent/quiet.h"
#include "agent/real.h"
#include "agent/system.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

enum { PATIENCE = 50, MOMENT_NS = 50000, MOST_CANDIDATES = 8 };

static pthread_mutex_t *list_lock; /* NULL: not found */
static int (*find_object)(void *, struct dl_find_object *);

/* The loader's data: a symbol that is private to glibc. */
struct data {
	char *start;
	size_t size;
	pthread_mutex_t *candidates[MOST_CANDIDATES];
	unsigned count;
};

static bool is_owned(const pthread_mutex_t *mutex, int thread)
{
	return mutex->__data.__kind == PTHREAD_MUTEX_RECURSIVE_NP &&
	       mutex->__data.__lock == 1 && mutex->__data.__count == 1 &&
	       mutex->__data.__owner == thread;
}

static int note_candidates(struct dl_phdr_info *info, size_t size,
			   void *argument)
{
	struct data *data = argument;
	int thread = la_sys_gettid();

	(void)info, (void)size;
	for (size_t at = 0; at + sizeof(pthread_mutex_t) <= data->size;
	     at += _Alignof(pthread_mutex_t)) {
		pthread_mutex_t *mutex = (void *)(data->start + at);

		if (is_owned(mutex, thread) && data->count < MOST_CANDIDATES)
			data->candidates[data->count++] = mutex;
	}
	return 1;
}

static bool find_data(struct data *data)
{
	const ElfW(Sym) *symbol = NULL;
	Dl_info info;

	data->start = dlsym(RTLD_DEFAULT, "_rtld_global");
	if (!data->start || !dladdr1(data->start, &info, (void **)&symbol,
				     RTLD_DL_SYMENT) || !symbol)
		return false;
	data->size = symbol->st_size;
	return true;
}

void la_loader_boot(void)
{
	void *symbol = dlsym(RTLD_DEFAULT, "_dl_find_object");
	struct data data = { .count = 0 };
	unsigned found = 0;

	memcpy(&find_object, &symbol, sizeof(symbol));
	if (find_data(&data))
		dl_iterate_phdr(note_candidates, &data);
	la_real_forget_error();
	for (unsigned i = 0; i < data.count; i++)
		if (!is_owned(data.candidates[i], la_sys_gettid())) {
			list_lock = data.candidates[i];
			found++;
		}
	/* One too many is as good as none. */
	if (found != 1)
		list_lock = NULL;
}

/* The loader itself has it for moments; who has it for longer, has it for long. */
static bool try_lock(void)
{
	static const struct timespec moment = { .tv_nsec = MOMENT_NS };
	static uint32_t nobody_wakes;
	static bool in_vain;

	for (int i = 0; pthread_mutex_trylock(list_lock); i++) {
		if (in_vain || i == PATIENCE) {
			in_vain = true;
			return false;
		}
		if (la_quiet_now())
			la_arch_pause();
		else
			la_sys_futex_wait(&nobody_wakes, 0, &moment);
	}
	in_vain = false;
	return true;
}

bool la_loader_visit(la_loader_visitor visit, void *argument)
{
	if (list_lock && !try_lock())
		return false;
	dl_iterate_phdr(visit, argument);
	if (list_lock)
		pthread_mutex_unlock(list_lock);
	return true;
}

bool la_loader_knows(uintptr_t address)
{
	struct dl_find_object object;

	return find_object && !find_object((void *)address, &object);
}

bool la_loader_visit_one(uintptr_t address, la_loader_visitor visit,
			 void *argument)
{
	struct dl_find_object object;
	struct dl_phdr_info info = { 0 };
	const ElfW(Ehdr) *header;

	if (!find_object || find_object((void *)address, &object))
		return false;
	header = object.dlfo_map_start;
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		return false;
	info.dlpi_addr = object.dlfo_link_map->l_addr;
	info.dlpi_name = object.dlfo_link_map->l_name;
	info.dlpi_phdr = (const void *)((const char *)header + header->e_phoff);
	info.dlpi_phnum = header->e_phnum;
	visit(&info, sizeof(info), argument);
	return true;
}
