/*
 * How much memory the process may use, as far as its cgroups say. At boot, on
 * the host's thread; leaves no descriptor open.
 */
#ifndef LA_CGROUP_H
#define LA_CGROUP_H

#include <stdint.h>

/*
 * The least limit of the process's cgroups and those they are in, version 1 or
 * 2, in bytes; UINT64_MAX where there is none. `root` is put before all paths:
 * "" but in tests.
 */
uint64_t la_cgroup_memory_limit(const char *root);

/* The least of that, the machine's memory and RLIMIT_AS, in bytes. */
uint64_t la_cgroup_memory(void);

#endif
