/*
 * Which file an address belongs to, also after that file was unloaded and
 * another took its place.
 *
 * A module is one executable segment of a loaded object. Its id is given once
 * and kept for ever: unloading only takes it out of the map of what is loaded
 * now. Whenever something was loaded or unloaded, the generation changes, and
 * everything that is remembered about addresses must be looked up again.
 */
#ifndef LA_MODULES_H
#define LA_MODULES_H

#include "agent/visibility.h"

#include <stdbool.h>
#include <stdint.h>

/* As long as leakdiff takes it; linkers make 8 to 32 bytes, or any by request. */
enum { LA_MOST_BUILD_ID = 64 };

struct la_module {
	uintptr_t start; /* of the executable segment, rounded to pages */
	uintptr_t end;
	uintptr_t image_start; /* of all segments of the object */
	uintptr_t image_end;
	uintptr_t base; /* what its addresses in the file are relative to */
	uintptr_t dynamic; /* its dynamic section, 0 where there is none */
	uint64_t file_offset; /* of the byte at start */
	uintptr_t eh_frame_hdr; /* 0 where there is none */
	const char *path;       /* absolute; "[vdso]" for the kernel's */
	const char *soname; /* by which others need it; "" for none */
	uint8_t build_id_size;
	bool ours; /* the agent or one of its own libraries: never a frame */
	uint8_t build_id[LA_MOST_BUILD_ID];
};

/*
 * The main program's file: absolute, or "" where the kernel does not tell.
 * While the program starts, or later.
 */
const char *la_modules_executable(void);

/* Reads the list of loaded objects for the first time. 0 or -errno. */
int la_modules_boot(void);

/*
 * The loader allocates and frees through the hooks whenever it loads or
 * unloads. Cheap, any thread.
 */
void la_modules_suspect(void);

extern LA_HIDDEN uint32_t la_modules_doubt;

static inline bool la_modules_suspected(void)
{
	return __atomic_load_n(&la_modules_doubt, __ATOMIC_RELAXED);
}

/*
 * Brings the map up to date if the loader's counters moved; later, when the list
 * of objects is locked for long. Any thread, with none of the agent's locks held.
 */
void la_modules_refresh(void);

/*
 * Between these, no other thread is inside the loader's list. True if it is to be
 * released: in a callback from that list, it is not taken once more.
 */
bool la_modules_hold(void);
void la_modules_release(void);

/* Of the present map: raised with every change. */
extern LA_HIDDEN uint32_t la_modules_count_of_changes;

static inline uint32_t la_modules_generation(void)
{
	return __atomic_load_n(&la_modules_count_of_changes, __ATOMIC_ACQUIRE);
}

/* The module that is loaded at `address`, or 0. */
uint32_t la_modules_find(uintptr_t address);

/*
 * The same for code that the calling thread is in, also while the map cannot be
 * brought up to date. With none of the agent's locks held.
 */
uint32_t la_modules_find_own(uintptr_t address);

/* A loaded module of this soname, or whose file has this name, or 0. */
uint32_t la_modules_named(const char *name);

const struct la_module *la_module_at(uint32_t id);
uint32_t la_modules_count(void);

#endif
