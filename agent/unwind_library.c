/* See unwind_library.h. */

#include "agent/unwind_library.h"

#include "agent/arch.h"
#include "agent/lock.h"
#include "agent/memory.h"
#include "agent/unwind_binding.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

enum { STACK = 256 * 1024 };

struct la_libunwind la_libunwind;

static char *stack;

static int access_mem(unw_addr_space_t space, unw_word_t address,
		      unw_word_t *value, int write, void *argument)
{
	struct la_unwind_target *target = argument;

	(void)space;
	if (write)
		return -UNW_EREADONLYREG;
	return target->read(target, address, value) ? 0 : -UNW_EINVAL;
}

static int access_reg(unw_addr_space_t space, unw_regnum_t number,
		      unw_word_t *value, int write, void *argument)
{
	struct la_unwind_target *target = argument;

	(void)space;
	if (write)
		return -UNW_EREADONLYREG;
	if (number < 0 || number >= LA_ARCH_UNW_REGISTERS ||
	    !target->get(target, (unsigned)number, value))
		return -UNW_EBADREG;
	return 0;
}

static int access_fpreg(unw_addr_space_t space, unw_regnum_t number,
			unw_fpreg_t *value, int write, void *argument)
{
	(void)space, (void)number, (void)value, (void)write, (void)argument;
	return -UNW_EBADREG;
}

/* Only the binary search table that linkers make is understood. */
static int find_proc_info(unw_addr_space_t space, unw_word_t address,
			  unw_proc_info_t *info, int need, void *argument)
{
	enum { UDATA4 = 0x03, DATAREL_SDATA4 = 0x3b, PCREL_SDATA4 = 0x1b };
	struct la_unwind_target *target = argument;
	const struct la_module *module = target->find(target, address);
	const uint8_t *header =
		module ? (const uint8_t *)module->eh_frame_hdr : NULL;
	unw_dyn_info_t table = { 0 };
	uint32_t entries;
	int result = -UNW_ENOINFO;

	if (header && header[0] == 1 && header[1] == PCREL_SDATA4 &&
	    header[2] == UDATA4 && header[3] == DATAREL_SDATA4) {
		memcpy(&entries, header + 8, sizeof(entries));
		table.format = UNW_INFO_FORMAT_REMOTE_TABLE;
		table.start_ip = module->start;
		table.end_ip = module->end;
		table.u.rti.segbase = module->eh_frame_hdr;
		table.u.rti.table_data = module->eh_frame_hdr + 12;
		table.u.rti.table_len =
			entries * (uint64_t)8 / sizeof(unw_word_t);
		result = la_libunwind.search_unwind_table(
			space, address, &table, info, need, argument);
	}
	if (result < 0)
		target->no_information = true;
	return result;
}

static void put_unwind_info(unw_addr_space_t space, unw_proc_info_t *info,
			    void *argument)
{
	(void)space, (void)info, (void)argument;
}

static int get_dyn_info_list_addr(unw_addr_space_t space, unw_word_t *address,
				  void *argument)
{
	(void)space, (void)address, (void)argument;
	return -UNW_ENOINFO;
}

static int resume(unw_addr_space_t space, unw_cursor_t *cursor, void *argument)
{
	(void)space, (void)cursor, (void)argument;
	return -UNW_EINVAL;
}

static int get_proc_name(unw_addr_space_t space, unw_word_t address,
			 char *buffer, size_t size, unw_word_t *offset,
			 void *argument)
{
	(void)space, (void)address, (void)buffer, (void)size, (void)offset;
	(void)argument;
	return -UNW_ENOINFO;
}

unw_addr_space_t la_libunwind_space(void)
{
	static unw_accessors_t accessors = {
		.find_proc_info = find_proc_info,
		.put_unwind_info = put_unwind_info,
		.get_dyn_info_list_addr = get_dyn_info_list_addr,
		.access_mem = access_mem,
		.access_reg = access_reg,
		.access_fpreg = access_fpreg,
		.resume = resume,
		.get_proc_name = get_proc_name,
	};

	/*
	 * New address spaces cache nothing. (To say so explicitly would
	 * initialise libunwind's local side, pipe and all.)
	 */
	return la_libunwind.create_addr_space(&accessors, 0);
}

void la_libunwind_call(void (*function)(void *), void *argument)
{
	int host_errno = errno;

	la_lock(LA_LOCK_LEARN);
	la_arch_call_on_stack(function, argument, stack + STACK);
	la_unlock(LA_LOCK_LEARN);
	errno = host_errno;
}

static int load_symbols(void *library)
{
	/* The names that libunwind.h's macros stand for. */
#define STRINGIFY_(x) #x
#define STRINGIFY(x) STRINGIFY_(x)
#define LOAD(member, name)                                                     \
	do {                                                                   \
		void *symbol = dlsym(library, STRINGIFY(name));                \
		if (!symbol)                                                   \
			return -ENOSYS;                                        \
		memcpy(&la_libunwind.member, &symbol, sizeof(symbol));         \
	} while (0)

	LOAD(create_addr_space, unw_create_addr_space);
	LOAD(set_caching_policy, unw_set_caching_policy);
	LOAD(flush_cache, unw_flush_cache);
	LOAD(init_remote, unw_init_remote);
	LOAD(step, unw_step);
	LOAD(get_reg, unw_get_reg);
	LOAD(is_signal_frame, unw_is_signal_frame);
	/* Not in the public header, but exported for tools such as perf. */
	LOAD(search_unwind_table, UNW_OBJ(dwarf_search_unwind_table));
#undef LOAD
#undef STRINGIFY
#undef STRINGIFY_
	return 0;
}

static bool read_nothing(struct la_unwind_target *target, uintptr_t address,
			 uint64_t *value)
{
	(void)target, (void)address, (void)value;
	return false;
}

static bool get_nothing(struct la_unwind_target *target, unsigned number,
			uint64_t *value)
{
	(void)target, (void)number, (void)value;
	return false;
}

/*
 * On first use libunwind opens a pipe, to check memory of its own process with,
 * which our address spaces never need: the host's descriptors are let alone.
 */
static void initialise(void *unused)
{
	struct la_unwind_target nothing = { .read = read_nothing,
					    .get = get_nothing };
	unw_cursor_t cursor;

	(void)unused;
	la_unwind_begins = true;
	la_libunwind.init_remote(&cursor, la_libunwind.space, &nothing);
	la_unwind_begins = false;
}

/* The loader's word for it, which has no number. */
static bool is_missing(const char *problem)
{
	return problem && strstr(problem, "cannot open shared object");
}

int la_libunwind_load(void)
{
	void *library = dlopen("libunwind-x86_64.so.8",
			       RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	int error;

	if (!library)
		return is_missing(dlerror()) ? -ENOENT : -ENOMEM;
	error = load_symbols(library);
	if (error)
		return error;
	la_unwind_bind(library);
	stack = la_memory_map(STACK);
	la_libunwind.space = stack ? la_libunwind_space() : NULL;
	if (!la_libunwind.space)
		return -ENOMEM;
	la_libunwind_call(initialise, NULL);
	return 0;
}
