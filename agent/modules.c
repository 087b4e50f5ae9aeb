/*
 * See modules.h. The loader's list is copied inside its callback, while the
 * loader's own lock keeps the objects and their names in place, and merged
 * afterwards: no lock of the agent is held while the loader's is wanted, since
 * a thread inside dlopen holds that one and comes through the hooks.
 */

#define _GNU_SOURCE /* dl_iterate_phdr */

#include "agent/modules.h"

#include "agent/array.h"
#include "agent/lock.h"
#include "agent/memory.h"
#include "agent/quiet.h"
#include "agent/system.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

enum { PAGE = 4096, GATHER_BYTES = 1 << 18, GATHER_MOST = 1 << 26 };

/* One executable segment as the callback found it; its path follows. */
struct found {
	struct la_module module;
	uint32_t size; /* of this record with the path */
	char path[];
};

struct gathering {
	unsigned long long adds, subs;
	char *buffer;
	size_t size, used;
	bool overflow;
};

struct placed {
	uintptr_t start, end;
	uint32_t module;
};

static struct la_array modules = LA_ARRAY_OF(struct la_module, LA_MEMORY_REST);

/* What is loaded now, by address; under LA_LOCK_MODULES. */
static struct placed *map;
static uint32_t map_count, map_room;
static unsigned long long known_adds, known_subs;

uint32_t la_modules_doubt;
uint32_t la_modules_count_of_changes = 1;

static char executable[PATH_MAX];

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

static void read_build_id(struct la_module *module, const char *notes,
			  size_t size)
{
	while (size >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *note = (const void *)notes;
		size_t name = (note->n_namesz + 3) & ~3u;
		size_t whole = sizeof(*note) + name +
			       ((note->n_descsz + 3) & ~3u);

		if (whole > size)
			return;
		if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
		    !memcmp(note + 1, "GNU", 4) &&
		    note->n_descsz <= sizeof(module->build_id)) {
			module->build_id_size = (uint8_t)note->n_descsz;
			memcpy(module->build_id,
			       (const char *)(note + 1) + name,
			       note->n_descsz);
			return;
		}
		notes += whole;
		size -= whole;
	}
}

/* The parts of a module that are the same for all segments of its object. */
static void read_object(struct la_module *module,
			const struct dl_phdr_info *info)
{
	module->image_start = UINTPTR_MAX;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		uintptr_t address = info->dlpi_addr + header->p_vaddr;
		uintptr_t end = address + header->p_memsz;

		if (header->p_type == PT_LOAD) {
			if (address < module->image_start)
				module->image_start = address;
			if (end > module->image_end)
				module->image_end = end;
		} else if (header->p_type == PT_GNU_EH_FRAME)
			module->eh_frame_hdr = address;
		else if (header->p_type == PT_NOTE && !module->build_id_size)
			read_build_id(module, (const char *)address,
				      header->p_memsz);
	}
}

/* A path from the root on, cut where there is no room; its bytes. */
static size_t whole_path(const char *name, char *path, size_t room)
{
	size_t used = 0;

	if (*name && *name != '/' && *name != '[') {
		long length = la_quiet_now() ? 0 : la_sys_getcwd(path, room);

		if (length > 1 && (size_t)length < room) {
			used = (size_t)length - 1;
			path[used++] = '/';
		}
		if (name[0] == '.' && name[1] == '/')
			name += 2;
	}
	size_t length = strlen(name);

	if (length > room - used - 1)
		length = room - used - 1;
	memcpy(path + used, name, length);
	path[used + length] = '\0';
	return used + length + 1;
}

/*
 * The object's path: the loader keeps names as they were given. It has none for
 * the main program, and a bare file name for the kernel's object.
 */
static size_t object_path(const struct dl_phdr_info *info, bool first,
			  char *path, size_t room)
{
	const char *name = info->dlpi_name;

	if (first && !*name)
		name = executable;
	else if (!strchr(name, '/'))
		name = !strncmp(name, "linux-vdso", 10) ? "[vdso]" : name;
	return whole_path(name, path, room);
}

static int gather_object(struct dl_phdr_info *info, size_t size, void *argument)
{
	struct gathering *gathering = argument;
	struct la_module common = { 0 };
	bool first = gathering->used == 0;

	(void)size;
	read_object(&common, info);
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		struct found *found =
			(void *)(gathering->buffer + gathering->used);

		if (header->p_type != PT_LOAD || !(header->p_flags & PF_X))
			continue;
		if (gathering->size - gathering->used <
		    sizeof(*found) + PATH_MAX + 16) {
			gathering->overflow = true;
			return 1;
		}
		uintptr_t start = info->dlpi_addr + header->p_vaddr;
		uintptr_t within = start & (PAGE - 1);

		found->module = common;
		found->module.start = start - within;
		found->module.end = (start + header->p_memsz + PAGE - 1) &
				    ~(uintptr_t)(PAGE - 1);
		found->module.file_offset = header->p_offset - within;
		size_t path = object_path(info, first, found->path, PATH_MAX);

		found->size =
			(uint32_t)((sizeof(*found) + path + 15) & ~(size_t)15);
		gathering->used += found->size;
	}
	return 0;
}

static int read_counters(struct dl_phdr_info *info, size_t size, void *argument)
{
	struct gathering *gathering = argument;

	(void)size;
	gathering->adds = info->dlpi_adds;
	gathering->subs = info->dlpi_subs;
	return 1;
}

static int gather(struct gathering *gathering)
{
	for (size_t size = GATHER_BYTES; size <= GATHER_MOST; size *= 4) {
		gathering->buffer = la_memory_map(size);
		if (!gathering->buffer)
			return -ENOMEM;
		gathering->size = size;
		gathering->used = 0;
		gathering->overflow = false;
		dl_iterate_phdr(gather_object, gathering);
		if (!gathering->overflow)
			return 0;
		la_memory_unmap(gathering->buffer, size);
	}
	return -E2BIG;
}

static bool same_module(const struct la_module *a, const struct la_module *b,
			const char *b_path)
{
	return a->start == b->start && a->end == b->end &&
	       a->file_offset == b->file_offset &&
	       a->build_id_size == b->build_id_size &&
	       !memcmp(a->build_id, b->build_id, sizeof(a->build_id)) &&
	       !strcmp(a->path, b_path);
}

/* The id of a module that was seen before, loaded now or not, or 0. */
static uint32_t known_module(const struct found *found)
{
	for (uint32_t id = la_array_count(&modules); id > 0; id--)
		if (same_module(la_module_at(id), &found->module, found->path))
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

static uint32_t add_module(const struct found *found)
{
	struct la_module *module = la_array_reserve(&modules);
	size_t length = strlen(found->path) + 1;
	char *path = la_memory_keep(length);

	if (!module || !path)
		return 0;
	memcpy(path, found->path, length);
	*module = found->module;
	module->path = path;
	module->ours = is_ours(path, module->start, module->end);
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

/* Makes the map what was gathered. */
static int merge(const struct gathering *gathering)
{
	uint32_t count = 0;
	int error;

	for (size_t at = 0; at < gathering->used; count++)
		at += ((struct found *)(gathering->buffer + at))->size;
	error = map_reserve(count);
	map_count = 0;
	for (size_t at = 0; !error && at < gathering->used;) {
		struct found *found = (void *)(gathering->buffer + at);
		uint32_t id = known_module(found);

		if (!id)
			id = add_module(found);
		if (!id)
			return -ENOMEM;
		map[map_count++] = (struct placed){ found->module.start,
						    found->module.end, id };
		at += found->size;
	}
	sort_map();
	return error;
}

/* Threads inside refresh(), and whether any may enter. */
static uint32_t refreshing, held;

void la_modules_hold(void)
{
	static const struct timespec moment = { .tv_nsec = 100000 };

	__atomic_add_fetch(&held, 1, __ATOMIC_SEQ_CST);
	/* Not for ever: it may be this very thread, in a callback. */
	for (int i = 0; i < 10000; i++) {
		if (!__atomic_load_n(&refreshing, __ATOMIC_SEQ_CST))
			return;
		if (!la_quiet_now())
			la_arch_syscall(SYS_nanosleep, (long)&moment, 0, 0, 0,
					0, 0);
	}
}

void la_modules_release(void)
{
	__atomic_sub_fetch(&held, 1, __ATOMIC_SEQ_CST);
}

static bool has_changed(const struct gathering *gathering)
{
	return gathering->adds !=
		       __atomic_load_n(&known_adds, __ATOMIC_RELAXED) ||
	       gathering->subs != __atomic_load_n(&known_subs, __ATOMIC_RELAXED);
}

static void replace_map(struct gathering *gathering)
{
	if (gather(gathering))
		return;
	la_lock(LA_LOCK_MODULES);
	if (gathering->adds >= known_adds && gathering->subs >= known_subs) {
		merge(gathering);
		__atomic_store_n(&known_adds, gathering->adds,
				 __ATOMIC_RELAXED);
		__atomic_store_n(&known_subs, gathering->subs,
				 __ATOMIC_RELAXED);
		__atomic_add_fetch(&la_modules_count_of_changes, 1,
				   __ATOMIC_RELEASE);
	}
	la_unlock(LA_LOCK_MODULES);
	la_memory_unmap(gathering->buffer, gathering->size);
}

/*
 * The map is in doubt until it has been replaced: other threads may be in code
 * that it does not have. What comes up meanwhile is for the next time.
 */
static void refresh(void)
{
	struct gathering gathering = { 0 };
	uint32_t doubt = __atomic_load_n(&la_modules_doubt, __ATOMIC_ACQUIRE);

	dl_iterate_phdr(read_counters, &gathering);
	if (has_changed(&gathering))
		replace_map(&gathering);
	__atomic_compare_exchange_n(&la_modules_doubt, &doubt, 0, false,
				    __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

void la_modules_refresh(void)
{
	__atomic_add_fetch(&refreshing, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&held, __ATOMIC_SEQ_CST))
		refresh();
	__atomic_sub_fetch(&refreshing, 1, __ATOMIC_SEQ_CST);
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

int la_modules_boot(void)
{
	long length = la_arch_syscall(SYS_readlink, (long)"/proc/self/exe",
				      (long)executable, sizeof(executable) - 1,
				      0, 0, 0);

	const char *started = (const char *)getauxval(AT_EXECFN);

	executable[length > 0 ? length : 0] = '\0';
	/* Without /proc, the name that it was started by has to do. */
	if (length <= 0 && started)
		whole_path(started, executable, sizeof(executable));
	la_modules_refresh();
	return map_count ? 0 : -ENOENT;
}
