/* A plugin; see reloads.c. */
#define RELOAD_NAME reload_one
#include "tests/programs/libreload.h"
