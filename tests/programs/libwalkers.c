/* build: -O2 -fomit-frame-pointer */
/*
 * Random walks up and down the stack, for the unit test of captures that are
 * known again. Frames are of five manners, and most begin at one of few
 * addresses, whatever lies further out: so stacks often have the same innermost
 * registers and are not the same. Room is taken and not written to: what earlier
 * frames left there can still be read.
 */
#include "tests/programs/libwalkers.h"

#include <alloca.h>
#include <stddef.h>

#define NOINLINE __attribute__((noinline))
#define USED(x) __asm__ volatile("" : : "r"(x) : "memory")

/* So that a call is never the last thing that a function does. */
#define NO_TAIL_CALL __asm__ volatile("" : : : "memory")

enum { GRID = 512, WALKERS = 20 };

typedef void walker(struct walk *walk, unsigned levels);

static walker *choose(struct walk *walk);

static uint64_t draw(struct walk *walk, uint64_t below)
{
	/* Knuth's MMIX generator: its upper bits are good enough. */
	walk->random = walk->random * UINT64_C(6364136223846793005) +
		       UINT64_C(1442695040888963407);
	return (walk->random >> 33) % below;
}

/* What jumps needs a frame pointer, and walkers are to do without. */
static NOINLINE void jump_out(struct walk *walk)
{
	__builtin_longjmp(walk->start, 1);
}

/*
 * What a walker does with its frame: looks, from either of two places, walks
 * on, leaves.
 */
#define WANDER(walk, levels)                                                   \
	do {                                                                   \
		for (uint64_t times = 1 + draw(walk, 3); times > 0; times--) { \
			if (draw(walk, 8) == 0) {                              \
				(walk)->look(walk);                            \
				__asm__ volatile("nop");                       \
			} else if (!(levels) || draw(walk, 8) == 0) {          \
				(walk)->look(walk);                            \
			} else {                                               \
				choose(walk)(walk, (levels) - 1);              \
			}                                                      \
			if ((walk)->looks >= (walk)->enough)                   \
				break;                                         \
		}                                                              \
		if (draw(walk, 40) == 0)                                       \
			jump_out(walk);                                        \
	} while (0)

/* The next frame begins at a multiple of GRID. */
#define ON_GRID(number)                                                        \
	static NOINLINE void on_grid_##number(struct walk *walk,               \
					      unsigned levels)                 \
	{                                                                      \
		char *here = alloca(16);                                       \
		char *room = alloca(((uintptr_t)here - 64) % GRID +            \
				    GRID * draw(walk, 2));                     \
                                                                               \
		USED(room);                                                    \
		WANDER(walk, levels);                                          \
		USED(room);                                                    \
	}

#define ANYWHERE(number)                                                       \
	static NOINLINE void anywhere_##number(struct walk *walk,              \
					       unsigned levels)                \
	{                                                                      \
		char *room = alloca(16 * (1 + draw(walk, 30)));                \
                                                                               \
		USED(room);                                                    \
		WANDER(walk, levels);                                          \
		USED(room);                                                    \
	}

#define OF_SIZE(number, size)                                                  \
	static NOINLINE void of_size_##number(struct walk *walk,               \
					      unsigned levels)                 \
	{                                                                      \
		char room[size];                                               \
                                                                               \
		USED(room);                                                    \
		WANDER(walk, levels);                                          \
		USED(room);                                                    \
	}

/* Saves rbp and has another use for it. */
#define SAVING(number, size)                                                   \
	static NOINLINE void saving_##number(struct walk *walk,                \
					     unsigned levels)                  \
	{                                                                      \
		register uintptr_t other __asm__("rbp") = number;              \
		char room[size];                                               \
                                                                               \
		USED(room);                                                    \
		__asm__ volatile("" : "+r"(other));                            \
		WANDER(walk, levels);                                          \
		__asm__ volatile("" : "+r"(other));                            \
		USED(room);                                                    \
	}

/* Where the CFA is, is read from the frame. */
#define ALIGNED(number)                                                        \
	static NOINLINE void aligned_##number(struct walk *walk,               \
					      unsigned levels)                 \
	{                                                                      \
		char room[GRID] __attribute__((aligned(GRID)));                \
		char *more = alloca(GRID * draw(walk, 2));                     \
                                                                               \
		USED(room);                                                    \
		USED(more);                                                    \
		WANDER(walk, levels);                                          \
		USED(room);                                                    \
	}

ON_GRID(1) ON_GRID(2) ON_GRID(3) ON_GRID(4) ON_GRID(5) ON_GRID(6) ON_GRID(7)
ANYWHERE(1) ANYWHERE(2) ANYWHERE(3)
OF_SIZE(1, 24) OF_SIZE(2, 104) OF_SIZE(3, 456) OF_SIZE(4, 968)
SAVING(1, 24) SAVING(2, 104) SAVING(3, 456) SAVING(4, 16)
ALIGNED(1) ALIGNED(2)

static walker *const walkers[WALKERS] = {
	on_grid_1, of_size_1, saving_1, on_grid_2, anywhere_1,
	on_grid_3, of_size_2, saving_2, on_grid_4, anywhere_2,
	on_grid_5, of_size_3, saving_3, on_grid_6, anywhere_3,
	on_grid_7, of_size_4, saving_4, aligned_1, aligned_2,
};

static walker *choose(struct walk *walk)
{
	return walkers[(walk->first + draw(walk, walk->kinds)) % WALKERS];
}

/* So that __builtin_longjmp is not in the function that it goes to. */
static NOINLINE void set_out(struct walk *walk, unsigned levels)
{
	choose(walk)(walk, levels);
	NO_TAIL_CALL;
}

void walk_about(struct walk *walk, unsigned levels)
{
	while (walk->looks < walk->enough)
		if (!__builtin_setjmp(walk->start))
			set_out(walk, 1 + (unsigned)draw(walk, levels));
}
