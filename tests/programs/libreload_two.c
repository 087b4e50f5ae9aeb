/* A plugin; see reloads.c. */
#define RELOAD_NAME reload_two
#include "tests/programs/libreload.h"
