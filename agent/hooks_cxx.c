/*
 * operator new and delete, by their mangled names (Itanium C++ ABI, 5.1.4.3).
 *
 * The C++ runtime's own operators call malloc and free: those hooks record the
 * block, with operator new as a frame of its stack, and these only forward.
 * Allocators that bring their own operators do not pass through malloc: then
 * these record. Which of the two it is depends on where the next operator is
 * defined.
 *
 * The next operator may throw, or call a new-handler that does anything, so
 * nothing is held across it.
 */

#define _GNU_SOURCE /* RTLD_NEXT */

#include "agent/hook.h"
#include "agent/stack.h"
#include "agent/symbols.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>

enum operator_name {
	NEW,
	NEW_ARRAY,
	NEW_NOTHROW,
	NEW_ARRAY_NOTHROW,
	NEW_ALIGNED,
	NEW_ARRAY_ALIGNED,
	NEW_ALIGNED_NOTHROW,
	NEW_ARRAY_ALIGNED_NOTHROW,
	DELETE,
	DELETE_ARRAY,
	DELETE_SIZED,
	DELETE_ARRAY_SIZED,
	DELETE_NOTHROW,
	DELETE_ARRAY_NOTHROW,
	DELETE_ALIGNED,
	DELETE_ARRAY_ALIGNED,
	DELETE_SIZED_ALIGNED,
	DELETE_ARRAY_SIZED_ALIGNED,
	DELETE_ALIGNED_NOTHROW,
	DELETE_ARRAY_ALIGNED_NOTHROW,
	OPERATORS
};

static const char *const symbols[OPERATORS] = {
	[NEW] = "_Znwm",
	[NEW_ARRAY] = "_Znam",
	[NEW_NOTHROW] = "_ZnwmRKSt9nothrow_t",
	[NEW_ARRAY_NOTHROW] = "_ZnamRKSt9nothrow_t",
	[NEW_ALIGNED] = "_ZnwmSt11align_val_t",
	[NEW_ARRAY_ALIGNED] = "_ZnamSt11align_val_t",
	[NEW_ALIGNED_NOTHROW] = "_ZnwmSt11align_val_tRKSt9nothrow_t",
	[NEW_ARRAY_ALIGNED_NOTHROW] = "_ZnamSt11align_val_tRKSt9nothrow_t",
	[DELETE] = "_ZdlPv",
	[DELETE_ARRAY] = "_ZdaPv",
	[DELETE_SIZED] = "_ZdlPvm",
	[DELETE_ARRAY_SIZED] = "_ZdaPvm",
	[DELETE_NOTHROW] = "_ZdlPvRKSt9nothrow_t",
	[DELETE_ARRAY_NOTHROW] = "_ZdaPvRKSt9nothrow_t",
	[DELETE_ALIGNED] = "_ZdlPvSt11align_val_t",
	[DELETE_ARRAY_ALIGNED] = "_ZdaPvSt11align_val_t",
	[DELETE_SIZED_ALIGNED] = "_ZdlPvmSt11align_val_t",
	[DELETE_ARRAY_SIZED_ALIGNED] = "_ZdaPvmSt11align_val_t",
	[DELETE_ALIGNED_NOTHROW] = "_ZdlPvSt11align_val_tRKSt9nothrow_t",
	[DELETE_ARRAY_ALIGNED_NOTHROW] = "_ZdaPvSt11align_val_tRKSt9nothrow_t",
};

struct next {
	void *function;
	bool records; /* it belongs to the allocator: these hooks record */
};

/* What is next in load order, for the whole program, or NULL. */
static void *next_operators[OPERATORS];

/*
 * Where nothing is, plugins may have brought the C++ runtime, or operators of
 * their own, each for itself: the last one that this thread used.
 */
static __thread struct {
	uint32_t module, generation;
	struct next next;
} own_operators[OPERATORS];

static void *aligned_new(size_t size, size_t alignment)
{
	return memalign(alignment, size);
}

/* Somebody calls an operator that nobody defines: a weak reference, say. */
static void *last_resort(enum operator_name name)
{
	if (name >= DELETE)
		return (void *)free;
	return name >= NEW_ALIGNED ? (void *)aligned_new : (void *)malloc;
}

static void *early_aligned_new(size_t size, size_t alignment)
{
	return la_plain_memalign(alignment, size);
}

/* While libraries are relocated nobody's can be called, see real.c. */
static void *early_one(enum operator_name name)
{
	if (name >= DELETE)
		return (void *)la_plain_free;
	return name >= NEW_ALIGNED ? (void *)early_aligned_new :
				     (void *)la_plain_malloc;
}

/* Looks a symbol up; what that allocates, and its failure, are not the host's. */
static void *look_up(void *where, enum operator_name name)
{
	struct la_state *state = la_state_get();
	void *found;

	if (state)
		state->own++;
	found = dlsym(where, symbols[name]);
	la_real_forget_error();
	if (state)
		state->own--;
	return found;
}

/*
 * The definition that the caller's own object and its dependencies have. Without
 * the loader: its lock may be held by a thread that waits for this one.
 */
static void *search_object(enum operator_name name, uint32_t module)
{
	void *found = module ? la_symbols_find(module, symbols[name]) : NULL;

	return found ? found : last_resort(name);
}

/*
 * The last one that was found so. Operators may end in a jump to another one,
 * which then seems to be called by the hook that called the first.
 */
static __thread uintptr_t last_own;

/* What the thread's stack is searched for, and with what result. */
static __thread uint32_t runtime, user;

static bool is_elsewhere(uintptr_t pc)
{
	uint32_t module = la_modules_find(pc);

	if (module == runtime || (module && la_module_at(module)->ours))
		return false;
	user = module;
	return true;
}

/*
 * A C++ runtime that calls an operator is served as whoever had it loaded: the
 * loader looks there first. That is taken to be the object that called into the
 * runtime, if it needs it and so has it loaded.
 */
static uint32_t user_of(uint32_t module, const void *frame)
{
	const struct la_state *state = la_state_get();

	runtime = module;
	user = 0;
	if (!state || la_state_inside_tracker(state))
		return 0;
	la_stack_has(state, la_arch_caller(frame), is_elsewhere);
	return user && la_symbols_needs(user, module) ? user : 0;
}

/* Whether the object defines the operator that it would be served with. */
static bool defines(uint32_t module, const struct next *next)
{
	return module && module == la_modules_find((uintptr_t)next->function);
}

static struct next find_own(enum operator_name name, uintptr_t caller,
			    const void *frame)
{
	struct next next;
	uint32_t module, generation;

	if (la_modules_suspected())
		la_modules_refresh();
	generation = la_modules_generation();
	module = la_modules_find_own(caller);
	if (module && la_module_at(module)->ours && last_own)
		module = la_modules_find_own(last_own);
	if (!module || own_operators[name].module != module ||
	    own_operators[name].generation != generation) {
		own_operators[name].next.function =
			search_object(name, module);
		own_operators[name].module = module;
		own_operators[name].generation = generation;
	}
	next = own_operators[name].next;
	if (defines(module, &next) && user_of(module, frame))
		next.function = search_object(name, user);
	last_own = (uintptr_t)next.function;
	return next;
}

static void *search_program(enum operator_name name)
{
	void *found = look_up(RTLD_NEXT, name);

	__atomic_store_n(&next_operators[name], found, __ATOMIC_RELEASE);
	return found;
}

/*
 * All at once while the program starts: later, the loader's lock may be held by
 * a thread that waits for the one that calls operator new.
 */
static bool searched;

static void __attribute__((constructor)) search_all(void)
{
	for (enum operator_name name = 0; name < OPERATORS; name++)
		search_program(name);
	searched = true;
}

static struct next find(enum operator_name name, uintptr_t caller,
			const void *frame)
{
	void *found = __atomic_load_n(&next_operators[name], __ATOMIC_ACQUIRE);

	if (la_unlikely(!found) && !la_real_callable())
		return (struct next){ .function = early_one(name) };
	if (la_unlikely(!found) && !searched)
		found = search_program(name);
	if (la_unlikely(!found))
		return find_own(name, caller, frame);
	return (struct next){
		.function = found,
		.records = la_in_range(la_allocator_range, (uintptr_t)found),
	};
}

/* Before the next operator new: nothing was recorded on its behalf yet. */
static inline struct la_state *creating(const void *frame)
{
	struct la_state *state = la_hook_enter(frame);

	if (la_likely(state != NULL))
		state->last_block = NULL;
	return state;
}

/*
 * The block may have been recorded by a hook further in, since operators call
 * malloc or aligned_alloc, and may have asked them for more: sizes are rounded
 * up to the alignment, and 0 becomes 1.
 */
static inline void *created(const struct next *next, struct la_state *state,
			    void *block, size_t size, const void *frame)
{
	if (la_unlikely(!state || !block))
		return block;
	if (la_likely(state->last_block == block))
		la_track_size(state, block, size);
	else if (next->records)
		la_track_block(state, block, size, frame);
	return block;
}

static inline void deleted(const struct next *next, void *block,
			   const void *frame)
{
	struct la_state *state;
	struct la_block was;

	if (la_likely(!next->records) || !block)
		return;
	state = la_hook_enter(frame);
	if (state)
		la_untrack_block(state, block, &was);
}

/* parameters and arguments start with the size, or with the block. */
#define OPERATOR_NEW(symbol, name, parameters, arguments)                      \
	LA_EXPORT void *symbol parameters;                                     \
	LA_EXPORT void *symbol parameters                                      \
	{                                                                      \
		const struct next next = find(name, LA_CALLER, LA_FRAME);     \
		void *(*function) parameters = next.function;                  \
		struct la_state *state;                                        \
                                                                               \
		/* The common case: plain, and recorded by malloc as it is. */ \
		if (la_likely(!next.records && name < NEW_ALIGNED && size))   \
			return function arguments;                             \
		state = creating(LA_FRAME);                                    \
		return created(&next, state, function arguments, size,          \
			       LA_FRAME);                                      \
	}

#define OPERATOR_DELETE(symbol, name, parameters, arguments)                   \
	LA_EXPORT void symbol parameters;                                      \
	LA_EXPORT void symbol parameters                                       \
	{                                                                      \
		const struct next next = find(name, LA_CALLER, LA_FRAME);     \
		void (*function) parameters = next.function;                   \
                                                                               \
		deleted(&next, block, LA_FRAME);                                \
		function arguments;                                            \
	}

OPERATOR_NEW(_Znwm, NEW, (size_t size), (size))
OPERATOR_NEW(_Znam, NEW_ARRAY, (size_t size), (size))
OPERATOR_NEW(_ZnwmRKSt9nothrow_t, NEW_NOTHROW, (size_t size, const void *tag),
	     (size, tag))
OPERATOR_NEW(_ZnamRKSt9nothrow_t, NEW_ARRAY_NOTHROW,
	     (size_t size, const void *tag), (size, tag))
OPERATOR_NEW(_ZnwmSt11align_val_t, NEW_ALIGNED, (size_t size, size_t alignment),
	     (size, alignment))
OPERATOR_NEW(_ZnamSt11align_val_t, NEW_ARRAY_ALIGNED,
	     (size_t size, size_t alignment), (size, alignment))
OPERATOR_NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, NEW_ALIGNED_NOTHROW,
	     (size_t size, size_t alignment, const void *tag),
	     (size, alignment, tag))
OPERATOR_NEW(_ZnamSt11align_val_tRKSt9nothrow_t, NEW_ARRAY_ALIGNED_NOTHROW,
	     (size_t size, size_t alignment, const void *tag),
	     (size, alignment, tag))

OPERATOR_DELETE(_ZdlPv, DELETE, (void *block), (block))
OPERATOR_DELETE(_ZdaPv, DELETE_ARRAY, (void *block), (block))
OPERATOR_DELETE(_ZdlPvm, DELETE_SIZED, (void *block, size_t size),
		(block, size))
OPERATOR_DELETE(_ZdaPvm, DELETE_ARRAY_SIZED, (void *block, size_t size),
		(block, size))
OPERATOR_DELETE(_ZdlPvRKSt9nothrow_t, DELETE_NOTHROW,
		(void *block, const void *tag), (block, tag))
OPERATOR_DELETE(_ZdaPvRKSt9nothrow_t, DELETE_ARRAY_NOTHROW,
		(void *block, const void *tag), (block, tag))
OPERATOR_DELETE(_ZdlPvSt11align_val_t, DELETE_ALIGNED,
		(void *block, size_t alignment), (block, alignment))
OPERATOR_DELETE(_ZdaPvSt11align_val_t, DELETE_ARRAY_ALIGNED,
		(void *block, size_t alignment), (block, alignment))
OPERATOR_DELETE(_ZdlPvmSt11align_val_t, DELETE_SIZED_ALIGNED,
		(void *block, size_t size, size_t alignment),
		(block, size, alignment))
OPERATOR_DELETE(_ZdaPvmSt11align_val_t, DELETE_ARRAY_SIZED_ALIGNED,
		(void *block, size_t size, size_t alignment),
		(block, size, alignment))
OPERATOR_DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, DELETE_ALIGNED_NOTHROW,
		(void *block, size_t alignment, const void *tag),
		(block, alignment, tag))
OPERATOR_DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t,
		DELETE_ARRAY_ALIGNED_NOTHROW,
		(void *block, size_t alignment, const void *tag),
		(block, alignment, tag))
