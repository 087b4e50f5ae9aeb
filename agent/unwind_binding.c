/*
 * See unwind_binding.h. What an object calls through its procedure linkage table
 * is found in the program first, also what it defines itself: a program with
 * another version of libunwind in it would have its functions called here.
 */

#define _GNU_SOURCE /* RTLD_DI_LINKMAP, pipe2, mincore */

#include "agent/unwind_binding.h"

#include "agent/quiet.h"
#include "agent/system.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 4096 };

struct table {
	ElfW(Addr) base;
	const ElfW(Sym) *symbols;
	const char *names;
	const ElfW(Rela) *slots;
	size_t count;
	bool sealed; /* read-only since it was loaded */
};

/*
 * libunwind blocks signals around its locks. While it is quiet, the agent's
 * calls do without; a program that calls it under such a filter is on its own.
 */
static int block_signals(int how, const sigset_t *set, sigset_t *old)
{
	return la_quiet_now() ? 0 : sigprocmask(how, set, old);
}

__thread bool la_unwind_begins;

/* Tried on the stack, which is there; to ask may be forbidden (quiet.h). */
static int look_at_memory(void *start, size_t length, unsigned char *resident)
{
	return la_unwind_begins ? 0 : mincore(start, length, resident);
}

/* To check memory of its own process with: agent's targets are read otherwise. */
static int open_pipe(int ends[2], int flags)
{
	if (!la_unwind_begins)
		return pipe2(ends, flags);
	ends[0] = ends[1] = -1;
	errno = EMFILE;
	return -1;
}

static const struct {
	const char *name;
	ElfW(Addr) target;
} replacements[] = {
	{ "sigprocmask", (ElfW(Addr))block_signals },
	{ "mincore", (ElfW(Addr))look_at_memory },
	{ "pipe2", (ElfW(Addr))open_pipe },
};

static struct table read_table(const struct link_map *object)
{
	struct table table = { .base = object->l_addr };

	for (const ElfW(Dyn) *entry = object->l_ld; entry->d_tag != DT_NULL;
	     entry++) {
		const void *address = (const void *)entry->d_un.d_ptr;

		switch (entry->d_tag) {
		case DT_SYMTAB:
			table.symbols = address;
			break;
		case DT_STRTAB:
			table.names = address;
			break;
		case DT_JMPREL:
			table.slots = address;
			break;
		case DT_PLTRELSZ:
			table.count = entry->d_un.d_val / sizeof(ElfW(Rela));
			break;
		case DT_BIND_NOW:
			table.sealed = true;
			break;
		case DT_FLAGS:
			table.sealed |= (entry->d_un.d_val & DF_BIND_NOW) != 0;
			break;
		case DT_FLAGS_1:
			table.sealed |= (entry->d_un.d_val & DF_1_NOW) != 0;
			break;
		}
	}
	return table;
}

/* What the slot should hold, or 0: as it is. */
static ElfW(Addr) target_of(const struct table *table, const ElfW(Sym) *symbol)
{
	const char *name = table->names + symbol->st_name;

	for (size_t i = 0; i < sizeof(replacements) / sizeof(*replacements); i++)
		if (!strcmp(name, replacements[i].name))
			return replacements[i].target;
	if (symbol->st_shndx == SHN_UNDEF ||
	    ELF64_ST_TYPE(symbol->st_info) != STT_FUNC)
		return 0;
	return table->base + symbol->st_value;
}

static bool protect(ElfW(Addr) *slot, int protection)
{
	long page = (long)((ElfW(Addr))slot & ~(ElfW(Addr))(PAGE - 1));

	return !la_sys_failed(la_arch_syscall(SYS_mprotect, page, PAGE,
					      protection, 0, 0, 0));
}

static void set(const struct table *table, ElfW(Addr) *slot, ElfW(Addr) target)
{
	if (*slot == target)
		return;
	if (table->sealed && !protect(slot, PROT_READ | PROT_WRITE))
		return;
	*slot = target;
	if (table->sealed)
		protect(slot, PROT_READ);
}

void la_unwind_bind(void *library)
{
	struct link_map *object;
	struct table table;

	if (dlinfo(library, RTLD_DI_LINKMAP, &object))
		return;
	table = read_table(object);
	if (!table.symbols || !table.names || !table.slots)
		return;
	for (size_t i = 0; i < table.count; i++) {
		const ElfW(Rela) *slot = &table.slots[i];
		ElfW(Addr) target = target_of(
			&table, &table.symbols[ELF64_R_SYM(slot->r_info)]);

		if (target)
			set(&table, (ElfW(Addr) *)(table.base + slot->r_offset),
			    target);
	}
}
