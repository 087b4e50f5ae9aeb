/*
 * The loader's list of objects, without waiting for whoever has it locked: in a
 * callback of dl_iterate_phdr that may be a thread that waits for this one.
 */
#ifndef LA_LOADER_H
#define LA_LOADER_H

#include <link.h>
#include <stdbool.h>
#include <stdint.h>

typedef int (*la_loader_visitor)(struct dl_phdr_info *info, size_t size,
				 void *argument);

/*
 * Finds the list's lock. Where there is none that can be found, la_loader_visit
 * waits for it as everybody does. At boot.
 */
void la_loader_boot(void);

/*
 * dl_iterate_phdr, or false when another thread keeps the list locked. One
 * thread at a time.
 */
bool la_loader_visit(la_loader_visitor visit, void *argument);

/*
 * Visits the object that an address lies in, without the list; false when there
 * is none, or libc cannot tell (before 2.35). For code that the calling thread
 * is in: other objects may be unloaded meanwhile.
 */
bool la_loader_visit_one(uintptr_t address, la_loader_visitor visit,
			 void *argument);

/*
 * Whether the loader knows of an object there, in whichever namespace; false
 * where libc cannot tell. Without locks.
 */
bool la_loader_knows(uintptr_t address);

#endif
