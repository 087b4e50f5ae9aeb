/*
 * libunwind itself: loading it, and asking it about a target that is read
 * through functions of ours. For unwind_learn.c and unwind_cursor.c; no other
 * file sees libunwind.
 *
 * It is asked through address spaces of our own: its local one opens a pipe,
 * checks memory through it, and goes on using those descriptor numbers after
 * the host has closed them. It is loaded with dlopen, not linked: its exported
 * _Unwind_* would replace those of the host's C++ runtime.
 */
#ifndef LA_UNWIND_LIBRARY_H
#define LA_UNWIND_LIBRARY_H

#include "agent/modules.h"
#include "agent/visibility.h"

#include <libunwind.h>
#include <stdbool.h>
#include <stdint.h>

/* What a cursor looks at: the argument of every cursor's start. */
struct la_unwind_target {
	/* The word at `address`; false where it cannot be read. */
	bool (*read)(struct la_unwind_target *target, uintptr_t address,
		     uint64_t *value);
	/* A register at the start, by libunwind's number. */
	bool (*get)(struct la_unwind_target *target, unsigned number,
		    uint64_t *value);
	/* The module at `address`, or NULL. */
	const struct la_module *(*find)(struct la_unwind_target *target,
					uintptr_t address);
	/* Set when there was no unwind information at an address. */
	bool no_information;
};

/* What is used of libunwind. */
extern LA_HIDDEN struct la_libunwind {
	unw_addr_space_t space; /* for targets as above, remembers nothing */
	unw_addr_space_t (*create_addr_space)(unw_accessors_t *, int);
	int (*set_caching_policy)(unw_addr_space_t, unw_caching_policy_t);
	void (*flush_cache)(unw_addr_space_t, unw_word_t, unw_word_t);
	int (*init_remote)(unw_cursor_t *, unw_addr_space_t, void *);
	int (*step)(unw_cursor_t *);
	int (*get_reg)(unw_cursor_t *, int, unw_word_t *);
	int (*is_signal_frame)(unw_cursor_t *);
	int (*search_unwind_table)(unw_addr_space_t, unw_word_t,
				   unw_dyn_info_t *, unw_proc_info_t *, int,
				   void *);
} la_libunwind;

/* Loads it. 0 or -errno. */
int la_libunwind_load(void);

/* Another space of that kind, or NULL. At boot: libunwind takes it from malloc. */
unw_addr_space_t la_libunwind_space(void);

/*
 * Calls function(argument) on a stack of the agent's own, for one thread at a
 * time and without signals (LA_LOCK_LEARN is held); keeps errno.
 */
void la_libunwind_call(void (*function)(void *), void *argument);

#endif
