/*
 * Mangled names to what the programmer wrote: C++ (Itanium ABI) and Rust
 * (legacy and v0). Names come from files that nobody vouches for, so the
 * length of the answer and the depth of the work are bounded.
 */
#ifndef DIFF_DEMANGLE_H
#define DIFF_DEMANGLE_H

#include "diff/symbol_arena.h"

/*
 * The source-level name with its parameters and without a return type; clone
 * suffixes (.cold, .constprop.0) and Rust's hash are dropped. It belongs to
 * the arena. NULL when the name is not mangled or makes no sense, and when
 * out of memory.
 */
const char *demangle(struct symbol_arena *arena, const char *mangled);

#endif
