/*
 * Functions of loaded objects, found by name as the loader would, but without it:
 * its own look-up waits for its lock, and forgets what dlerror was to say.
 */
#ifndef LA_SYMBOLS_H
#define LA_SYMBOLS_H

#include "agent/modules.h"

/* The name by which others need the object, in its own memory; "" for none. */
const char *la_symbols_soname(const struct la_module *module);

/*
 * The first definition of a function in the object of a module and in those that
 * it needs, breadth first; or NULL. For objects that the calling thread is in,
 * which keeps them loaded. Takes LA_LOCK_MODULES.
 */
void *la_symbols_find(uint32_t module, const char *name);

/* Whether an object needs another, or what needs it. On the same conditions. */
bool la_symbols_needs(uint32_t module, uint32_t other);

#endif
