/*
 * See modules.h. What modules_gather.c has copied of the loader's list is merged
 * afterwards: a thread inside dlopen, which has that list locked, comes through
 * the hooks and may want the map.
 */

#define _GNU_SOURCE /* link.h */

#include "agent/modules.h"

#include "agent/array.h"
#include "agent/loader.h"
#include "agent/lock.h"
#include "agent/memory.h"
#include "agent/modules_gather.h"
#include "agent/system.h"

#include <errno.h>
#include <string.h>

struct placed {
	uintptr_t start, end;
	uint32_t module;
	bool unlisted; /* learnt without the loader's list */
};

static struct la_array modules = LA_ARRAY_OF(struct la_module, LA_MEMORY_REST);

/* What is loaded now, by address; under LA_LOCK_MODULES. */
static struct placed *map;
static uint32_t map_count, map_room;

/* The loader's counters then; under LA_LOCK_LOADER. */
static unsigned long long known_adds, known_subs;

uint32_t la_modules_doubt;
uint32_t la_modules_count_of_changes = 1;

void la_modules_suspect(void)
{
	static uint32_t doubts;

	/* Each is another: see refresh. Only 2^32 of them come to none. */
	__atomic_store_n(&la_modules_doubt,
			 __atomic_add_fetch(&doubts, 1, __ATOMIC_RELAXED),
			 __ATOMIC_RELEASE);
}

const struct la_module *la_module_at(uint32_t id)
{
	return la_array_at(&modules, id);
}

uint32_t la_modules_count(void)
{
	return la_array_count(&modules);
}

/*
 * What the loader was given without its folder was there where the program was
 * then; it may be elsewhere now.
 */
static bool same_path(const struct la_module *known,
		      const struct la_found *found)
{
	const char *given = found->path + found->given;
	size_t length = strlen(known->path), given_length = strlen(given);

	if (!strcmp(known->path, found->path))
		return true;
	return found->given && known->build_id_size && length > given_length &&
	       known->path[length - given_length - 1] == '/' &&
	       !strcmp(known->path + length - given_length, given);
}

static bool same_module(const struct la_module *a, const struct la_found *found)
{
	const struct la_module *b = &found->module;

	return a->start == b->start && a->end == b->end &&
	       a->file_offset == b->file_offset &&
	       a->build_id_size == b->build_id_size &&
	       !memcmp(a->build_id, b->build_id, sizeof(a->build_id)) &&
	       same_path(a, found);
}

/* The id of a module that was seen before, loaded now or not, or 0. */
static uint32_t known_module(const struct la_found *found)
{
	for (uint32_t id = la_array_count(&modules); id > 0; id--)
		if (same_module(la_module_at(id), found))
			return id;
	return 0;
}

static bool is_ours(const char *path, uintptr_t start, uintptr_t end)
{
	const char *base = strrchr(path, '/');
	uintptr_t here = (uintptr_t)&is_ours;

	base = base ? base + 1 : path;
	return (here >= start && here < end) ||
	       !strncmp(base, "libunwind-x86_64.so", 19);
}

static uint32_t add_module(const struct la_found *found)
{
	struct la_module *module = la_array_reserve(&modules);
	char *names = la_memory_keep(found->names);

	if (!module || !names)
		return 0;
	memcpy(names, found->path, found->names);
	*module = found->module;
	module->path = names;
	module->soname = names + strlen(names) + 1;
	module->ours = is_ours(names, module->start, module->end);
	return la_array_publish(&modules);
}

static int map_reserve(uint32_t count)
{
	if (count <= map_room)
		return 0;
	uint32_t room = 2 * count;
	struct placed *larger = la_memory_map(room * sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	if (map_count)
		memcpy(larger, map, map_count * sizeof(*map));
	la_memory_unmap(map, map_room * sizeof(*map));
	map = larger;
	map_room = room;
	return 0;
}

static void sort_map(void)
{
	for (uint32_t i = 1; i < map_count; i++) {
		struct placed moving = map[i];
		uint32_t hole = i;

		for (; hole && map[hole - 1].start > moving.start; hole--)
			map[hole] = map[hole - 1];
		map[hole] = moving;
	}
}

/* Whatever lay there before is no longer loaded. */
static void make_way(const struct la_module *module)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < map_count; i++)
		if (map[i].end <= module->start || map[i].start >= module->end)
			map[kept++] = map[i];
	map_count = kept;
}

/* Adds to the map what was gathered. */
static int merge(const struct la_gathering *gathering, bool unlisted)
{
	int error = 0;

	for (size_t at = 0; !error && at < gathering->used;) {
		const struct la_found *found =
			(void *)(gathering->buffer + at);
		uint32_t id = known_module(found);

		if (!id)
			id = add_module(found);
		error = id ? map_reserve(map_count + 1) : -ENOMEM;
		if (error)
			break;
		make_way(&found->module);
		map[map_count++] = (struct placed){ found->module.start,
						    found->module.end, id,
						    unlisted };
		at += found->size;
	}
	sort_map();
	return error;
}

static bool has_changed(const struct la_gathering *gathering)
{
	return gathering->adds != known_adds || gathering->subs != known_subs;
}

/* Under LA_LOCK_MODULES. */
static void changed(void)
{
	__atomic_add_fetch(&la_modules_count_of_changes, 1, __ATOMIC_RELEASE);
}

static int replace_map(struct la_gathering *gathering)
{
	int error = la_gather_all(gathering);

	if (error)
		return error;
	la_lock(LA_LOCK_MODULES);
	map_count = 0;
	merge(gathering, false);
	known_adds = gathering->adds;
	known_subs = gathering->subs;
	changed();
	la_unlock(LA_LOCK_MODULES);
	la_gather_free(gathering);
	return 0;
}

/*
 * The map is in doubt until it has been replaced: other threads may be in code
 * that it does not have. What comes up meanwhile is for the next time.
 */
static void refresh(void)
{
	struct la_gathering gathering = { 0 };
	uint32_t doubt = __atomic_load_n(&la_modules_doubt, __ATOMIC_ACQUIRE);
	int error = la_gather_counters(&gathering);

	if (!error && has_changed(&gathering))
		error = replace_map(&gathering);
	if (error != -EBUSY)
		__atomic_compare_exchange_n(&la_modules_doubt, &doubt, 0, false,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

/* False when the calling thread is inside the list: in a callback of a host that
 * stands in front of dl_iterate_phdr. */
static bool begin_reading(void)
{
	if (la_lock_held(LA_LOCK_LOADER))
		return false;
	la_lock(LA_LOCK_LOADER);
	return true;
}

void la_modules_refresh(void)
{
	if (!begin_reading())
		return;
	refresh();
	la_unlock(LA_LOCK_LOADER);
}

bool la_modules_hold(void)
{
	if (!begin_reading())
		return false;
	/* The host's handlers of fork save the signals that it blocks. */
	la_calm_end();
	return true;
}

void la_modules_release(void)
{
	la_calm_begin();
	la_unlock(LA_LOCK_LOADER);
}

/*
 * Of the object that the thread is in. The list is locked by another one, or it
 * is that of another namespace (dlmopen), which is not shown here.
 */
static void add_own(uintptr_t address)
{
	struct la_gathering gathering = { 0 };

	if (la_gather_one(&gathering, address))
		return;
	la_lock(LA_LOCK_MODULES);
	merge(&gathering, true);
	changed();
	la_unlock(LA_LOCK_MODULES);
	la_gather_free(&gathering);
}

static uint32_t search_map(uintptr_t address)
{
	uint32_t low = 0, high = map_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (map[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < map_count && map[low].start <= address ? map[low].module :
							      0;
}

uint32_t la_modules_find(uintptr_t address)
{
	la_lock(LA_LOCK_MODULES);
	uint32_t module = search_map(address);

	la_unlock(LA_LOCK_MODULES);
	return module;
}

uint32_t la_modules_find_own(uintptr_t address)
{
	uint32_t module = la_modules_find(address);

	if (la_likely(module != 0) ||
	    (!la_modules_suspected() && !la_loader_knows(address)) ||
	    !begin_reading())
		return module;
	add_own(address);
	la_unlock(LA_LOCK_LOADER);
	return la_modules_find(address);
}

static bool is_named(const struct la_module *module, const char *name)
{
	const char *base = strrchr(module->path, '/');

	return !strcmp(module->soname, name) ||
	       !strcmp(base ? base + 1 : module->path, name);
}

uint32_t la_modules_named(const char *name)
{
	uint32_t listed = 0, unlisted = 0;

	la_lock(LA_LOCK_MODULES);
	for (uint32_t i = 0; !listed && i < map_count; i++) {
		uint32_t module = map[i].module;

		if (!is_named(la_module_at(module), name))
			continue;
		if (map[i].unlisted)
			unlisted = module;
		else
			listed = module;
	}
	la_unlock(LA_LOCK_MODULES);
	return listed ? listed : unlisted;
}

const char *la_modules_executable(void)
{
	return la_gather_executable();
}

int la_modules_boot(void)
{
	la_gather_boot();
	la_modules_refresh();
	return map_count ? 0 : -ENOENT;
}
