/*
 * What a thread shares with all others of its process and the agent's does not:
 * descriptors, root and working directory.
 */
#ifndef LA_APART_H
#define LA_APART_H

#include <stdbool.h>

/*
 * On the agent's thread, as it begins: from here on the host's close, chroot and
 * chdir do not reach it, nor its descriptors the host. It has none now. False
 * where the kernel or a filter refuses that: then they are shared, and nothing
 * may be opened.
 */
bool la_apart_begin(void);

#endif
