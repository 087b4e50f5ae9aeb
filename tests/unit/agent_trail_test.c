/* build: -ldl */
/*
 * Stacks that are known again by their leaves are the stacks that they are taken
 * for: each is compared with a plain walk. The frames are made by
 * tests/programs/libwalkers.c; this program's own count as the agent's, since
 * the agent is linked into it.
 */
#define _GNU_SOURCE

#include "agent/frames.h"
#include "agent/modules.h"
#include "agent/sites.h"
#include "agent/stack.h"
#include "agent/trail.h"
#include "agent/unwind.h"

#include "tests/programs/libwalkers.h"
#include "tests/support/agent_check.h"
#include "tests/support/own_stack.h"
#include "tests/support/program_libraries.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define NOINLINE __attribute__((noinline))

static void (*walk_about_there)(struct walk *walk, unsigned levels);

static unsigned recalled, captured, on_ways, wrong;

static uint32_t plain_site(struct la_registers registers)
{
	uint32_t frames[LA_MOST_FRAMES];
	struct la_state *state = la_state_get();
	uint32_t node;

	if (la_modules_suspected())
		la_modules_refresh();
	node = la_stack_node(frames,
			     la_stack_walk(state, registers, frames, true));
	return node ? la_sites_heap(node) : 0;
}

/* The way of a stack, by what it is defined to be. */
static la_way way_of(uint32_t node)
{
	uint32_t frames[LA_MOST_FRAMES + 1];
	unsigned count = 0;
	la_way way = LA_WAY_WHOLE;

	for (; node != LA_ROOT_NODE; node = la_node_at(node).caller)
		frames[count++] = la_node_at(node).frame;
	if (count && frames[count - 1] == LA_FRAME_ID_TRUNCATED) {
		way = LA_WAY_TRUNCATED;
		count--;
	}
	while (count-- > 0)
		way = la_way_on(way, frames[count]);
	return way;
}

/* A site that was found by another way would be the site of another stack. */
static void check_way(uint32_t site)
{
	const struct la_site *found = la_site_at(site);

	if (found->way)
		on_ways++;
	if (found->way && found->way != way_of(found->node))
		wrong++;
}

/*
 * The way of the tracker, and now and then another one, which leaves things to
 * be recalled by the next look.
 */
static void NOINLINE look(struct walk *walk)
{
	struct la_registers caller = la_arch_caller(__builtin_frame_address(0));
	struct la_state *state = la_state_get();
	uint32_t site = la_trail_recall(state, caller);
	uint32_t expected = plain_site(caller);

	walk->looks++;
	if (site) {
		recalled++;
	} else {
		captured++;
		site = la_trail_heap_site(state, caller);
		check_way(site);
	}
	if (!site || site != expected)
		wrong++;
	if (walk->looks % 7 == 0 && la_trail_capture(state, caller) !=
					    la_site_at(expected)->node)
		wrong++;
}

static void walk_with(unsigned first, unsigned kinds, uint64_t random,
		      unsigned enough, unsigned levels)
{
	struct walk walk = { .look = look,
			     .random = random,
			     .first = first,
			     .kinds = kinds,
			     .enough = enough };

	walk_about_there(&walk, levels);
}

static void walk(unsigned kinds, uint64_t random, unsigned enough,
		 unsigned levels)
{
	walk_with(0, kinds, random, enough, levels);
}

static void begin_counting(void)
{
	recalled = captured = on_ways = wrong = 0;
}

/* ---- one stack ---- */

static void test_random_walks(void **unused)
{
	static const unsigned depths[] = { 64, 3, 9, 256 };

	(void)unused;
	know_own_stack();
	begin_counting();
	for (uint64_t seed = 1; seed <= 800; seed++) {
		la_stack_set_depth(depths[seed % array_length(depths)]);
		/* Sites of another depth are others. */
		la_modules_count_of_changes++;
		/* The fewer kinds, the more stacks that look alike. */
		walk_with(seed % WALK_ALL, 2 + seed % 7, seed, 500,
			  4 + seed % 30);
	}
	la_stack_set_depth(64);
	assert_int_equal(wrong, 0);
	assert_in_range(recalled, captured / 20, 800 * 500);
	/* All but those that end further out than the trail has room for. */
	assert_in_range(on_ways, captured - captured / 20, captured);
}

/* As libraries have it that wrap malloc: one place, many callers. */
static void NOINLINE wrapper(struct walk *walk)
{
	look(walk);
	__asm__ volatile("" ::: "memory");
}

#define CALLER(name)                                                           \
	static void NOINLINE name(struct walk *walk)                           \
	{                                                                      \
		wrapper(walk);                                                 \
		__asm__ volatile("# " #name::: "memory");                      \
	}

CALLER(first_caller)
CALLER(second_caller)
CALLER(third_caller)
CALLER(fourth_caller)
CALLER(fifth_caller)
CALLER(sixth_caller)

static void test_callers_of_one_wrapper(void **unused)
{
	static void (*const callers[])(struct walk *) = {
		first_caller,  second_caller, third_caller,
		fourth_caller, fifth_caller,  sixth_caller,
	};
	enum { ROUNDS = 100 };
	struct walk walk = { .look = look };

	(void)unused;
	know_own_stack();
	begin_counting();
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < array_length(callers); i++)
			callers[i](&walk);
	assert_int_equal(wrong, 0);
	assert_true(recalled > ROUNDS / 2 * array_length(callers));
}

static void test_more_levels_than_the_trail_has(void **unused)
{
	(void)unused;
	begin_counting();
	for (uint64_t seed = 1; seed <= 20; seed++)
		walk(seed % 3 ? WALK_PLAIN : WALK_ALL, seed, 1000, 1200);
	assert_int_equal(wrong, 0);
}

/* Nothing is known of where the stack ends: nothing is recalled. */
static void test_unknown_stack(void **unused)
{
	(void)unused;
	begin_counting();
	la_modules_count_of_changes++;
	know_stack(0, 0);
	for (uint64_t seed = 1; seed <= 20; seed++)
		walk(WALK_ALL, seed, 200, 20);
	know_own_stack();
	assert_int_equal(wrong, 0);
	assert_int_equal(recalled, 0);
}

/* ---- code without unwind information ---- */

extern char _start[];

enum { WORDS = 48, ONE = 20, OTHER = 30 };

/*
 * A made-up stack: two frames of code that belongs to no file, the outer of which
 * was called by a function. Whose frame that is, only the frame pointer says that
 * the inner one saved.
 */
static struct la_registers make_stack(uintptr_t *words, uintptr_t code)
{
	words[5] = code + 64;
	words[ONE + 1] = (uintptr_t)walk_about_there + 1;
	words[ONE + 2] = (uintptr_t)_start + 5;
	words[OTHER + 1] = (uintptr_t)dlsym(RTLD_DEFAULT, "getpid") + 1;
	words[OTHER + 2] = (uintptr_t)_start + 5;
	return (struct la_registers){ .pc = code,
				      .sp = (uintptr_t)words,
				      .fp = (uintptr_t)&words[4] };
}

static uint32_t site_of(struct la_registers registers)
{
	uint32_t site = la_trail_recall(la_state_get(), registers);

	recalled += site != 0;
	return site ? site : la_trail_heap_site(la_state_get(), registers);
}

static void test_guessed_frames(void **unused)
{
	static uintptr_t words[WORDS];
	void *code = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	struct la_registers leaf = make_stack(words, (uintptr_t)code);
	uint32_t sites[2];

	(void)unused;
	assert_ptr_not_equal(code, MAP_FAILED);
	begin_counting();
	know_stack((uintptr_t)words, (uintptr_t)(words + WORDS));
	for (unsigned round = 0; round < 20; round++) {
		/* Thrice each, so that there is something to recall. */
		unsigned way = round / 3 % 2;

		words[4] = (uintptr_t)&words[way ? OTHER : ONE];
		sites[way] = site_of(leaf);
		assert_int_equal(sites[way], plain_site(leaf));
	}
	assert_int_not_equal(sites[0], sites[1]);
	assert_true(recalled > 0);
	know_own_stack();
	munmap(code, 4096);
}

/* ---- several stacks ---- */

enum { COROUTINE_BYTES = 256 * 1024 };

static ucontext_t outside, inside;
static uint64_t coroutine_seed;

static void coroutine(void)
{
	walk(WALK_PLAIN, coroutine_seed, 100, 20);
}

/* One after the other at the same place, in between walks of the thread's own. */
static void run_coroutines(void *stack)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		coroutine_seed = seed;
		getcontext(&inside);
		inside.uc_stack.ss_sp = stack;
		inside.uc_stack.ss_size = COROUTINE_BYTES;
		inside.uc_link = &outside;
		makecontext(&inside, coroutine, 0);
		swapcontext(&outside, &inside);
		walk(WALK_PLAIN, seed, 100, 20);
	}
}

static void test_coroutines_inside_the_stack(void **unused)
{
	char stack[COROUTINE_BYTES];

	(void)unused;
	begin_counting();
	run_coroutines(stack);
	assert_int_equal(wrong, 0);
	assert_in_range(recalled, 200, UINT_MAX);
}

static void test_coroutines_elsewhere(void **unused)
{
	void *stack = mmap(NULL, COROUTINE_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)unused;
	assert_ptr_not_equal(stack, MAP_FAILED);
	begin_counting();
	run_coroutines(stack);
	munmap(stack, COROUTINE_BYTES);
	assert_int_equal(wrong, 0);
}

/* ---- threads, one after the other at the same place ---- */

enum { STACK = 1024 * 1024 };

struct life {
	size_t size;
	uint64_t seed;
	struct la_state *state;
	struct la_trail *trail;
};

static void NOINLINE walk_below(size_t room, uint64_t seed)
{
	char taken[room];

	__asm__ volatile("" : : "r"(taken) : "memory");
	walk(WALK_PLAIN, seed, 2000, 20);
}

static void *live(void *argument)
{
	struct life *life = argument;

	know_own_stack();
	/* The same addresses, as far as both stacks have them. */
	walk_below(life->size - STACK / 4, life->seed);
	life->state = la_state_get();
	life->trail = life->state->trail;
	return NULL;
}

static struct life run_thread(char *memory, size_t size, uint64_t seed)
{
	struct life life = { .size = size, .seed = seed };
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, memory, size);
	assert_int_equal(pthread_create(&thread, &attributes, live, &life), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attributes);
	return life;
}

static void test_a_later_and_shorter_stack(void **unused)
{
	char *memory = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct life first, second;

	(void)unused;
	assert_ptr_not_equal(memory, MAP_FAILED);
	begin_counting();
	for (uint64_t seed = 1; seed <= 10; seed++) {
		first = run_thread(memory, STACK, seed);
		assert_int_equal(mprotect(memory + STACK / 2, STACK / 2,
					  PROT_NONE),
				 0);
		second = run_thread(memory, STACK / 2, seed);
		assert_int_equal(mprotect(memory + STACK / 2, STACK / 2,
					  PROT_READ | PROT_WRITE),
				 0);
		assert_ptr_equal(first.state, second.state);
		assert_ptr_equal(first.trail, second.trail);
	}
	munmap(memory, STACK);
	assert_int_equal(wrong, 0);
	assert_in_range(recalled, 100, UINT_MAX);
}

/* ---- code that changes ---- */

static char walkers_path[PATH_MAX];

static void run_command(const char *format, const char *a, const char *b)
{
	char command[2 * PATH_MAX + 32];

	snprintf(command, sizeof(command), format, a, b);
	assert_int_equal(system(command), 0);
}

/* Where a copy of the walkers was, which has walked the same ways. */
static uintptr_t walk_in_copy(const char *folder, const char *name)
{
	char path[128];
	void *library;
	uintptr_t address;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	run_command("cp '%s' '%s'", walkers_path, path);
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	assert_non_null(library);
	la_modules_suspect();
	*(void **)&walk_about_there = dlsym(library, "walk_about");
	address = (uintptr_t)walk_about_there;
	walk(WALK_PLAIN, 5, 3000, 20);
	assert_string_equal(la_module_at(la_modules_find(address))->path,
			    path);
	dlclose(library);
	la_modules_suspect();
	return address;
}

static void test_code_in_the_place_of_other_code(void **unused)
{
	void (*own)(struct walk *walk, unsigned levels) = walk_about_there;
	char folder[] = "/tmp/agent_trail_test.XXXXXX";
	uintptr_t first;

	(void)unused;
	assert_non_null(mkdtemp(folder));
	begin_counting();
	first = walk_in_copy(folder, "one.so");
	assert_int_equal(walk_in_copy(folder, "two.so"), first);
	assert_int_equal(walk_in_copy(folder, "three.so"), first);
	walk_about_there = own;
	run_command("rm -r '%s'%s", folder, "");
	assert_int_equal(wrong, 0);
	assert_in_range(recalled, 100, UINT_MAX);
}

/* ---- setting up ---- */

static void load_walkers(void)
{
	find_library("libwalkers.so", walkers_path);
	*(void **)&walk_about_there =
		symbol_of_library(walkers_path, "walk_about");
}

static int boot(void **unused)
{
	(void)unused;
	if (la_state_boot() || la_unwind_boot())
		return -1;
	load_walkers();
	return la_modules_boot() || la_frames_boot() || la_sites_boot();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_walks),
		cmocka_unit_test(test_callers_of_one_wrapper),
		cmocka_unit_test(test_more_levels_than_the_trail_has),
		cmocka_unit_test(test_unknown_stack),
		cmocka_unit_test(test_guessed_frames),
		cmocka_unit_test(test_coroutines_inside_the_stack),
		cmocka_unit_test(test_coroutines_elsewhere),
		cmocka_unit_test(test_a_later_and_shorter_stack),
		cmocka_unit_test(test_code_in_the_place_of_other_code),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
