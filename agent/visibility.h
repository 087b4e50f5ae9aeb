/* Who sees a symbol of the agent. */
#ifndef LA_VISIBILITY_H
#define LA_VISIBILITY_H

/* The host: only what is hooked. */
#define LA_EXPORT __attribute__((visibility("default")))

/*
 * Only the agent. -fvisibility=hidden hides what is defined, not what is
 * declared, and code that does not know a variable to be hidden first loads
 * its address.
 */
#define LA_HIDDEN __attribute__((visibility("hidden")))

#endif
