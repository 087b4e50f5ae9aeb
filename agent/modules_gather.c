/*
 * See modules_gather.h. Everything is copied while the list is locked: that keeps
 * the objects and their names in place.
 */

#define _GNU_SOURCE /* dl_phdr_info */

#include "agent/modules_gather.h"

#include "agent/loader.h"
#include "agent/memory.h"
#include "agent/quiet.h"
#include "agent/symbols.h"
#include "agent/system.h"

#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

enum { PAGE = 4096, GATHER_BYTES = 1 << 18, GATHER_MOST = 1 << 26 };

static char executable[PATH_MAX];

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
	module->base = info->dlpi_addr;
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
		else if (header->p_type == PT_DYNAMIC)
			module->dynamic = address;
		else if (header->p_type == PT_NOTE && !module->build_id_size)
			read_build_id(module, (const char *)address,
				      header->p_memsz);
	}
}

/*
 * A path from the root on, cut where there is no room; its bytes. *given tells
 * where the name begins in it.
 */
static size_t whole_path(const char *name, char *path, size_t room,
			 uint32_t *given)
{
	size_t used = 0;

	if (*name && *name != '/' && *name != '[') {
		long length = la_quiet_now() ? 0 : la_sys_getcwd(path, room);

		/* In the root it is the slash already. */
		if (length > 1 && (size_t)length < room) {
			used = (size_t)length - 1;
			if (path[used - 1] != '/')
				path[used++] = '/';
		}
		if (name[0] == '.' && name[1] == '/')
			name += 2;
	}
	size_t length = strlen(name);

	*given = (uint32_t)used;
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
			  char *path, size_t room, uint32_t *given)
{
	const char *name = info->dlpi_name;

	if (first && !*name)
		name = executable;
	else if (!strchr(name, '/'))
		name = !strncmp(name, "linux-vdso", 10) ? "[vdso]" : name;
	return whole_path(name, path, room, given);
}

/* What other objects call it, behind the path; "" where it has no such name. */
static size_t object_soname(const struct la_module *module, char *soname,
			    size_t room)
{
	const char *name = la_symbols_soname(module);
	size_t length = strnlen(name, room - 1);

	memcpy(soname, name, length);
	soname[length] = '\0';
	return length + 1;
}

static int gather_object(struct dl_phdr_info *info, size_t size, void *argument)
{
	struct la_gathering *gathering = argument;
	struct la_module common = { 0 };
	bool first = gathering->used == 0;

	(void)size;
	read_object(&common, info);
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		struct la_found *found =
			(void *)(gathering->buffer + gathering->used);

		if (header->p_type != PT_LOAD || !(header->p_flags & PF_X))
			continue;
		if (gathering->size - gathering->used <
		    sizeof(*found) + PATH_MAX + NAME_MAX + 17) {
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
		found->names = (uint32_t)object_path(info, first, found->path,
						     PATH_MAX, &found->given);
		found->names += (uint32_t)object_soname(
			&common, found->path + found->names, NAME_MAX + 1);
		found->size = (uint32_t)((sizeof(*found) + found->names + 15) &
					 ~(size_t)15);
		gathering->used += found->size;
	}
	return 0;
}

static int read_counters(struct dl_phdr_info *info, size_t size, void *argument)
{
	struct la_gathering *gathering = argument;

	(void)size;
	gathering->adds = info->dlpi_adds;
	gathering->subs = info->dlpi_subs;
	return 1;
}

int la_gather_counters(struct la_gathering *gathering)
{
	return la_loader_visit(read_counters, gathering) ? 0 : -EBUSY;
}

static bool begin(struct la_gathering *gathering, size_t size)
{
	gathering->buffer = la_memory_map(size);
	gathering->size = size;
	gathering->used = 0;
	gathering->overflow = false;
	return gathering->buffer;
}

void la_gather_free(struct la_gathering *gathering)
{
	la_memory_unmap(gathering->buffer, gathering->size);
}

int la_gather_all(struct la_gathering *gathering)
{
	for (size_t size = GATHER_BYTES; size <= GATHER_MOST; size *= 4) {
		bool went;

		if (!begin(gathering, size))
			return -ENOMEM;
		went = la_loader_visit(gather_object, gathering);
		if (went && !gathering->overflow)
			return 0;
		la_gather_free(gathering);
		if (!went)
			return -EBUSY;
	}
	return -E2BIG;
}

int la_gather_one(struct la_gathering *gathering, uintptr_t address)
{
	if (!begin(gathering, GATHER_BYTES))
		return -ENOMEM;
	if (la_loader_visit_one(address, gather_object, gathering) &&
	    gathering->used)
		return 0;
	la_gather_free(gathering);
	return -ENOENT;
}

/*
 * The kernel knows what it was told to start. When that is the loader itself,
 * which needs none, the loader tells what program it was given. Without /proc,
 * the name that the program was started by has to do, too.
 */
const char *la_gather_executable(void)
{
	const char *started = (const char *)getauxval(AT_EXECFN);
	long length = 0;
	uint32_t given;

	if (*executable)
		return executable;
	if (getauxval(AT_BASE))
		length = la_arch_syscall(SYS_readlink, (long)"/proc/self/exe",
					 (long)executable,
					 sizeof(executable) - 1, 0, 0, 0);
	executable[length > 0 ? length : 0] = '\0';
	if (length <= 0 && started)
		whole_path(started, executable, sizeof(executable), &given);
	return executable;
}

void la_gather_boot(void)
{
	la_gather_executable();
	la_loader_boot();
}
