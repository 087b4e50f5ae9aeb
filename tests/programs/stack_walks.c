/* build: -O2 -fomit-frame-pointer */
/*
 * Allocates at the ends of random walks through functions of all manners:
 * plain ones, with frames of changing size (alloca), re-entered by longjmp,
 * called back by libc (bsearch), on another stack (swapcontext), and in
 * signal handlers. Keeps note of the true path of each block, and prints what
 * a snapshot must hold in the form of ledger.c.
 *
 * usage: stack_walks SEED WALKS
 */
#define _GNU_SOURCE
#include <alloca.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define DEEPEST 12
#define PATHS 60000
#define SIDE_STACK 262144

int leakagent_snapshot(const char *reason) __attribute__((weak));

struct walk {
	char path[DEEPEST + 1]; /* a letter for each function, root first */
	int depth;
	void *block;
};

/* Everything that was allocated: by path, in no order. */
static struct book {
	char path[DEEPEST + 1];
	long objects, bytes;
} books[PATHS];
static unsigned used;

static uint64_t random_state;
static struct walk *current; /* for those whose arguments are not ours */
static ucontext_t side, back;
static char side_stack[SIDE_STACK];
static int side_busy;
static volatile int sink;

static unsigned random_below(unsigned limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 20) % limit;
}

static void note(const char *path, size_t bytes)
{
	unsigned place = 5381;

	for (const char *at = path; *at; at++)
		place = place * 33 + (unsigned char)*at;
	for (place %= PATHS; books[place].path[0]; place = (place + 1) % PATHS)
		if (!strcmp(books[place].path, path))
			break;
	if (!books[place].path[0]) {
		if (++used == PATHS / 2)
			abort();
		strcpy(books[place].path, path);
	}
	books[place].objects++;
	books[place].bytes += (long)bytes;
}

NOINLINE static void walk_end(struct walk *walk)
{
	size_t size = 1 + random_below(64);

	walk->block = malloc(size);
	if (!walk->block)
		abort();
	walk->path[walk->depth] = '\0';
	note(walk->path, size);
}

static void walk_on(struct walk *walk);

static inline void enter(struct walk *walk, char letter)
{
	walk->path[walk->depth++] = letter;
}

static inline void leave(struct walk *walk)
{
	walk->depth--;
	sink++;
}

NOINLINE static void walk_plain(struct walk *walk)
{
	enter(walk, 'p');
	walk_on(walk);
	leave(walk);
}

NOINLINE static void walk_alloca(struct walk *walk)
{
	size_t size = 16 + random_below(2000);
	char *room = alloca(size);

	enter(walk, 'a');
	memset(room, 1, size);
	walk_on(walk);
	sink = room[size - 1];
	leave(walk);
}

NOINLINE static void walk_twice(struct walk *walk)
{
	enter(walk, 't');
	walk_on(walk);
	walk_on(walk);
	leave(walk);
}

NOINLINE static void walk_jump_back(jmp_buf *target, struct walk *walk)
{
	enter(walk, 'b');
	walk_on(walk);
	leave(walk);
	longjmp(*target, 1);
}

NOINLINE static void walk_setjmp(struct walk *walk)
{
	jmp_buf target;

	enter(walk, 'j');
	if (!setjmp(target))
		walk_jump_back(&target, walk);
	else
		walk_on(walk);
	leave(walk);
}

NOINLINE static int walk_compare(const void *left, const void *right)
{
	struct walk *walk = current;

	enter(walk, 'c');
	walk_on(walk);
	leave(walk);
	return *(const int *)left - *(const int *)right;
}

NOINLINE static void walk_bsearch(struct walk *walk)
{
	int one = 1;

	enter(walk, 's');
	current = walk;
	sink += bsearch(&one, &one, 1, sizeof(one), walk_compare) != NULL;
	leave(walk);
}

NOINLINE static void walk_handler(int number)
{
	struct walk *walk = current;

	(void)number;
	enter(walk, 'h');
	walk_on(walk);
	leave(walk);
}

NOINLINE static void walk_raise(struct walk *walk)
{
	enter(walk, 'r');
	current = walk;
	raise(SIGUSR1);
	leave(walk);
}

/* On a stack of its own, whose outermost frame this is. */
NOINLINE static void side_root(void)
{
	struct walk *walk = current;

	enter(walk, 'x');
	walk_on(walk);
	leave(walk);
}

NOINLINE static void walk_side(struct walk *walk)
{
	struct walk other = { .depth = 0 };

	if (side_busy) {
		enter(walk, 'd');
		walk_on(walk);
		leave(walk);
		return;
	}
	side_busy = 1;
	getcontext(&side);
	side.uc_stack.ss_sp = side_stack;
	side.uc_stack.ss_size = sizeof(side_stack);
	side.uc_link = &back;
	makecontext(&side, side_root, 0);
	current = &other;
	swapcontext(&back, &side);
	side_busy = 0;
}

static void (*const steps[])(struct walk *) = {
	walk_plain,   walk_alloca, walk_twice, walk_setjmp,
	walk_bsearch, walk_raise,  walk_side,
};

/* Each function takes at most two letters. */
__attribute__((always_inline)) static inline void walk_on(struct walk *walk)
{
	unsigned choice = random_below(9);

	if (walk->depth > DEEPEST - 3 || choice > 6)
		walk_end(walk);
	else
		steps[choice](walk);
	sink++;
}

NOINLINE static void walk_root(void)
{
	struct walk walk = { .depth = 0 };

	enter(&walk, 'w');
	walk_on(&walk);
	leave(&walk);
}

static const char *name_of(char letter)
{
	switch (letter) {
	case 'p':
		return "walk_plain";
	case 'a':
		return "walk_alloca";
	case 't':
		return "walk_twice";
	case 'b':
		return "walk_jump_back";
	case 'j':
		return "walk_setjmp";
	case 'c':
		return "walk_compare";
	case 's':
		return "walk_bsearch";
	case 'h':
		return "walk_handler";
	case 'r':
		return "walk_raise";
	case 'd':
		return "walk_side";
	case 'w':
		return "walk_root";
	default:
		return "side_root";
	}
}

static void print_book(const struct book *book)
{
	size_t depth = strlen(book->path);

	printf("{\"kind\": \"heap\", \"frames\": [\"walk_end\"");
	for (size_t i = depth; i > 0; i--)
		printf(", \"%s\"", name_of(book->path[i - 1]));
	printf("], \"values\": [%ld, %ld, %ld, %ld]}", book->objects,
	       book->bytes, book->objects, book->bytes);
}

static void report(void)
{
	const char *separator = "";

	printf("{\"reason\": \"walks\", \"pid\": %d, \"stacks\": [\n ",
	       (int)getpid());
	for (unsigned i = 0; i < PATHS; i++) {
		if (!books[i].objects)
			continue;
		printf("%s", separator);
		print_book(&books[i]);
		separator = ",\n ";
	}
	puts("]}");
	fflush(stdout);
	if (leakagent_snapshot && leakagent_snapshot("walks"))
		_exit(1);
}

int main(int argc, char **argv)
{
	/* SA_NODEFER: a handler's walk may come to raise again. */
	struct sigaction action = { .sa_handler = walk_handler,
				    .sa_flags = SA_NODEFER };

	if (argc != 3) {
		fputs("usage: stack_walks SEED WALKS\n", stderr);
		return 2;
	}
	random_state = strtoull(argv[1], NULL, 10) * 1000 + 1;
	sigaction(SIGUSR1, &action, NULL);
	for (long walks = atol(argv[2]); walks > 0; walks--)
		walk_root();
	report();
	return 0;
}
