/*
 * Copies of what the loader's list says of objects, for modules.c only. One
 * thread at a time (LA_LOCK_LOADER), with none of the agent's other locks held.
 */
#ifndef LA_MODULES_GATHER_H
#define LA_MODULES_GATHER_H

#include "agent/modules.h"

#include <stddef.h>

/* One executable segment; its path and soname follow, each with its end. */
struct la_found {
	struct la_module module;
	uint32_t size;	/* of this record with the names, */
	uint32_t names; /* of the names */
	uint32_t given; /* where in path begins what the loader was given */
	char path[];
};

struct la_gathering {
	unsigned long long adds, subs; /* the loader's counters */
	char *buffer;		       /* la_found, one after the other */
	size_t size, used;
	bool overflow;
};

/* The main program's file: see la_modules_executable. */
const char *la_gather_executable(void);

/* At boot. */
void la_gather_boot(void);

/* Only adds and subs. 0, or -EBUSY when the list is locked for long. */
int la_gather_counters(struct la_gathering *gathering);

/* All objects; to be freed. 0, -EBUSY or another -errno: then there are none. */
int la_gather_all(struct la_gathering *gathering);

/* The one that the calling thread is in, at this address. The same. */
int la_gather_one(struct la_gathering *gathering, uintptr_t address);

void la_gather_free(struct la_gathering *gathering);

#endif
