/* libresolvers.c, which resolvers.c is linked with. */
#ifndef TESTS_PROGRAMS_RESOLVERS_H
#define TESTS_PROGRAMS_RESOLVERS_H

enum { RESOLVERS_BYTES = 300 };

int libresolvers_answer(void);
char *libresolvers_block(void);

#endif
