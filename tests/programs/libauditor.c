/*
 * An auditor of the loader (LD_AUDIT): it is told of every object and of every
 * symbol that is bound, and has the loader call it around every call through a
 * procedure linkage table, which then leaves a frame of the loader's there.
 */
#define _GNU_SOURCE
#include <link.h>
#include <stdlib.h>

static unsigned long bound, calls;

unsigned la_version(unsigned version)
{
	return version;
}

unsigned la_objopen(struct link_map *map, Lmid_t space, uintptr_t *cookie)
{
	(void)map, (void)space, (void)cookie;
	return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}

uintptr_t la_symbind64(Elf64_Sym *symbol, unsigned index, uintptr_t *from,
		       uintptr_t *to, unsigned *flags, const char *name)
{
	(void)index, (void)from, (void)to, (void)flags, (void)name;
	bound++;
	return symbol->st_value;
}

Elf64_Addr la_x86_64_gnu_pltenter(Elf64_Sym *symbol, unsigned index,
				  uintptr_t *from, uintptr_t *to,
				  La_x86_64_regs *registers, unsigned *flags,
				  const char *name, long *frame_size)
{
	(void)index, (void)from, (void)to, (void)registers, (void)flags;
	(void)name, (void)frame_size;
	calls++;
	return symbol->st_value;
}
