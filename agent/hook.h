/* What every file of hooks begins with. */
#ifndef LA_HOOK_H
#define LA_HOOK_H

#include "agent/modules.h"
#include "agent/real.h"
#include "agent/state.h"
#include "agent/system.h"
#include "agent/tracker.h"

#define LA_EXPORT __attribute__((visibility("default")))

/* The hook's own frame: its caller's stack begins there. */
#define LA_FRAME __builtin_frame_address(0)

#define LA_CALLER ((uintptr_t)__builtin_return_address(0))

#endif
