/*
 * See lock.h. The lock word holds the owner's number and a bit that says
 * that somebody sleeps; the states are those of Drepper, "Futexes Are Tricky"
 * (2011), mutex 2.
 */

#include "agent/lock.h"

#include "agent/memory.h"
#include "agent/quiet.h"
#include "agent/system.h"

#include <signal.h>

enum { SPINS = 200, LOOK_EVERY_NS = 100000000 };

#define SLEEPERS UINT32_C(0x80000000)

/* A line for each, so that threads on different shards do not share one. */
static struct {
	uint32_t word;
} __attribute__((aligned(64))) locks[LA_LOCKS];

/* Which of them la_lock_all took; only touched between it and its undoing. */
static bool taken_for_fork[LA_LOCKS];

/* Not the kernel's number, which would have to be asked for. */
static __thread uint32_t own_id;

/* 1 in this process and whoever shares its memory, 0 in copies of it. */
static uint32_t *is_original;
static void (*on_orphaned)(void);

static uint32_t self(void)
{
	static uint32_t ids;

	while (la_unlikely(!own_id))
		own_id = __atomic_add_fetch(&ids, 1, __ATOMIC_RELAXED) &
			 ~SLEEPERS;
	return own_id;
}

static bool try_lock(uint32_t *word)
{
	uint32_t free = 0;

	return __atomic_compare_exchange_n(word, &free, self(), false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void la_lock_boot(void (*orphaned)(void))
{
	const size_t page = 4096;
	uint32_t *mark = la_memory_map(page);

	if (!mark)
		return;
	/* Older kernels than 4.14 cannot: then copies are not recognised. */
	if (la_arch_syscall(SYS_madvise, (long)mark, (long)page,
			    MADV_WIPEONFORK, 0, 0, 0)) {
		la_memory_unmap(mark, page);
		return;
	}
	*mark = 1;
	on_orphaned = orphaned;
	is_original = mark;
}

/* Frees what is held by threads that this process does not have. */
static void look_for_owner(void)
{
	if (!is_original || __atomic_exchange_n(is_original, 1, __ATOMIC_SEQ_CST))
		return;
	on_orphaned();
	for (unsigned rank = 0; rank < LA_LOCKS; rank++)
		if (!la_lock_held(rank))
			__atomic_store_n(&locks[rank].word, 0,
					 __ATOMIC_RELEASE);
}

static void __attribute__((noinline)) lock_slowly(uint32_t *word)
{
	static const struct timespec look_every = { .tv_nsec = LOOK_EVERY_NS };

	for (int i = 0; i < SPINS; i++) {
		if (!__atomic_load_n(word, __ATOMIC_RELAXED) && try_lock(word))
			return;
		la_arch_pause();
	}
	for (;;) {
		uint32_t seen = __atomic_load_n(word, __ATOMIC_RELAXED);

		if (!seen) {
			/* Others may sleep too: keep the bit set. */
			if (__atomic_compare_exchange_n(
				    word, &seen, self() | SLEEPERS, false,
				    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
				return;
			continue;
		}
		if (!(seen & SLEEPERS) &&
		    !__atomic_compare_exchange_n(word, &seen, seen | SLEEPERS,
						 false, __ATOMIC_RELAXED,
						 __ATOMIC_RELAXED))
			continue;
		if (la_quiet_now())
			la_arch_pause();
		else
			la_sys_futex_wait(word, seen | SLEEPERS, &look_every);
		look_for_owner();
	}
}

/* How deep the calm is, and the thread's own mask from before. */
static __thread uint32_t calm_depth;
static __thread la_signal_set own_mask;
static __thread bool masked;

/* Threads that block their signals now, or are about to. */
static uint32_t maskers;

static bool may_mask(void)
{
	__atomic_add_fetch(&maskers, 1, __ATOMIC_SEQ_CST);
	if (!la_quiet_now())
		return true;
	__atomic_sub_fetch(&maskers, 1, __ATOMIC_SEQ_CST);
	return false;
}

void la_calm_begin(void)
{
	static const la_signal_set everything = UINT64_MAX;
	la_signal_set before = 0;

	/* Raised only while signals are blocked: no handler comes in between.
	 * Where they cannot be, a handler's calm begins and ends here. */
	if (calm_depth) {
		calm_depth++;
		return;
	}
	if (may_mask()) {
		/* A filter may refuse to change it. */
		masked = !la_sys_failed(
			la_sys_sigprocmask(SIG_SETMASK, &everything, &before));
		own_mask = before;
		if (!masked)
			__atomic_sub_fetch(&maskers, 1, __ATOMIC_SEQ_CST);
	}
	calm_depth = 1;
}

void la_calm_end(void)
{
	if (--calm_depth || !masked)
		return;
	masked = false;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	la_sys_sigprocmask(SIG_SETMASK, &own_mask, NULL);
	__atomic_sub_fetch(&maskers, 1, __ATOMIC_SEQ_CST);
}

void la_calm_await_none(void)
{
	static const struct timespec moment = { .tv_nsec = 1000000 };

	/* Not for ever: handlers may fork, and leave threads behind. */
	for (int i = 0; i < 1000; i++) {
		if (!__atomic_load_n(&maskers, __ATOMIC_SEQ_CST))
			return;
		la_arch_syscall(SYS_nanosleep, (long)&moment, 0, 0, 0, 0, 0);
	}
}

static bool is_calm(unsigned rank)
{
	return rank < LA_LOCK_HEAP || rank >= LA_LOCK_HEAP + LA_HEAP_SHARDS;
}

static void acquire(uint32_t *word)
{
	if (la_unlikely(!try_lock(word)))
		lock_slowly(word);
}

static void release(uint32_t *word)
{
	/* Who sleeps, looks again soon. */
	if (la_unlikely(__atomic_exchange_n(word, 0, __ATOMIC_RELEASE) &
			SLEEPERS) &&
	    !la_quiet_now())
		la_sys_futex_wake(word, 1);
}

void la_lock(unsigned rank)
{
	if (is_calm(rank))
		la_calm_begin();
	acquire(&locks[rank].word);
}

bool la_lock_briefly(unsigned rank)
{
	for (int i = 0; i < SPINS; i++) {
		if (try_lock(&locks[rank].word))
			return true;
		la_arch_pause();
	}
	return false;
}

void la_unlock(unsigned rank)
{
	release(&locks[rank].word);
	if (is_calm(rank))
		la_calm_end();
}

bool la_lock_held(unsigned rank)
{
	return (__atomic_load_n(&locks[rank].word, __ATOMIC_RELAXED) &
		~SLEEPERS) == self();
}

bool la_lock_any_held(void)
{
	for (unsigned rank = 0; rank < LA_LOCKS; rank++)
		if (la_lock_held(rank))
			return true;
	return false;
}

void la_lock_all(void)
{
	for (unsigned rank = 0; rank < LA_LOCKS; rank++) {
		bool ours = la_lock_held(rank);

		if (!ours)
			acquire(&locks[rank].word);
		taken_for_fork[rank] = !ours;
	}
}

void la_unlock_all(void)
{
	for (unsigned rank = LA_LOCKS; rank-- > 0;)
		if (taken_for_fork[rank])
			release(&locks[rank].word);
}

void la_lock_after_fork(void)
{
	own_id = 0;
	maskers = masked;
	if (is_original)
		*is_original = 1;
	for (unsigned rank = 0; rank < LA_LOCKS; rank++) {
		/* Nobody sleeps in the child: forget who slept in the parent. */
		uint32_t word = taken_for_fork[rank] ? 0 : self();

		__atomic_store_n(&locks[rank].word, word, __ATOMIC_RELEASE);
	}
}
