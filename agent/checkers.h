/*
 * Tools that watch a program's memory. A program under one of them is not
 * tracked: each would take what the other does for the program's doing.
 */
#ifndef LA_CHECKERS_H
#define LA_CHECKERS_H

/*
 * What the program is built with or runs under, for a message, or NULL. A
 * string constant. While the program starts; takes the loader's lock.
 */
const char *la_checkers_name(void);

#endif
