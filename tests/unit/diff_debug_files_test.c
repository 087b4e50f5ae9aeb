/* Where debug information is found, and what is refused. */
#include "tests/support/symbol_programs.h"

#include <sys/stat.h>

static const char chain[] = "innermost chain.c:6 in middle chain.c:12 in "
			    "outermost chain.c:17";
/* A stripped program that exports its functions. */
static const char exported[] = "outermost ?:0";

static char build_id[256];
static uint64_t offset;

/* A program, its stripped copy, and its debug file. */
static void make_programs(const char *compile)
{
	sh("rm -rf store sysroot .debug app && mkdir app store");
	sh("%s -rdynamic -Wl,--build-id -o chain chain.c && "
	   "objcopy --only-keep-debug chain chain.debug && "
	   "strip -o app/chain chain", compile);
	offset = offset_of("chain", "at_innermost");
	strcpy(build_id, build_id_of("chain"));
}

static int make_default(void **state)
{
	(void)state;
	make_programs("gcc -O2 -g");
	return 0;
}

/* DIR/.build-id/xx/rest.debug below `store`. */
static void put_in_store(const char *store, const char *file, const char *id,
			 const char *suffix)
{
	sh("mkdir -p %s/.build-id/%.2s && cp %s %s/.build-id/%.2s/%s%s", store,
	   id, file, store, id, id + 2, suffix);
}

static struct question ask(const char *path, const char *symbols)
{
	static char paths[2][4096];
	struct question question = { .build_id = build_id, .offset = offset };

	snprintf(paths[0], sizeof(paths[0]), "%s/%s", folder, path);
	question.path = paths[0];
	if (symbols) {
		snprintf(paths[1], sizeof(paths[1]), "%s/%s", folder, symbols);
		question.symbols = paths[1];
	}
	return question;
}

static void test_nothing_but_the_program(void **state)
{
	(void)state;
	assert_answer(ask("app/chain", NULL), MODULE_SYMBOLS, exported);
	assert_answer(ask("app/absent", NULL), MODULE_NOT_FOUND, "");
}

static void test_symbol_folders(void **state)
{
	static const char *const places[] = { "chain", "chain.debug" };

	(void)state;
	put_in_store("store", "chain.debug", build_id, ".debug");
	assert_answer(ask("app/chain", "store"), MODULE_FULL, chain);
	assert_answer(ask("app/absent", "store"), MODULE_FULL, chain);
	make_default(NULL);
	put_in_store("store", "chain", build_id, "");
	assert_answer(ask("app/absent", "store"), MODULE_FULL, chain);
	make_default(NULL);
	put_in_store("store/usr/lib/debug", "chain.debug", build_id, ".debug");
	assert_answer(ask("app/chain", "store"), MODULE_FULL, chain);

	for (size_t i = 0; i < 2; i++) {
		make_default(NULL);
		sh("cp chain.debug store/%s", places[i]);
		assert_answer(ask("app/chain", "store"), MODULE_FULL, chain);
		make_default(NULL);
		sh("mkdir -p store%s/app && cp chain.debug store%s/app/%s",
		   folder, folder, places[i]);
		assert_answer(ask("app/chain", "store"), MODULE_FULL, chain);
	}
}

static void test_sysroot(void **state)
{
	struct question question = ask("app/chain", NULL);
	char root[4096];

	(void)state;
	strcpy(root, in_folder("sysroot"));
	question.sysroot = root;
	assert_answer(question, MODULE_NOT_FOUND, "");
	sh("mkdir -p sysroot%s/app && cp app/chain sysroot%s/app", folder,
	   folder);
	assert_answer(question, MODULE_SYMBOLS, exported);
	put_in_store("sysroot/usr/lib/debug", "chain.debug", build_id,
		     ".debug");
	assert_answer(question, MODULE_FULL, chain);
}

static void test_debug_link(void **state)
{
	static const char *const places[] = { "app", "app/.debug" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		make_default(NULL);
		sh("mkdir -p %s && cp chain.debug %s/linked && cd %s && "
		   "objcopy --add-gnu-debuglink=linked %s/app/chain",
		   places[i], places[i], places[i], folder);
		assert_answer(ask("app/chain", NULL), MODULE_FULL, chain);
	}
	make_default(NULL);
	sh("cp chain.debug linked && "
	   "objcopy --add-gnu-debuglink=linked app/chain && "
	   "mkdir -p sysroot%s/app sysroot/usr/lib/debug%s/app && "
	   "cp app/chain sysroot%s/app && "
	   "mv linked sysroot/usr/lib/debug%s/app", folder, folder, folder,
	   folder);
	struct question question = ask("app/chain", NULL);
	char root[4096];

	strcpy(root, in_folder("sysroot"));
	question.sysroot = root;
	assert_answer(question, MODULE_FULL, chain);
}

/* Without build ids the checksum decides, and nothing else does. */
static void test_debug_link_checksum(void **state)
{
	struct question question;

	(void)state;
	sh("gcc -O2 -g -rdynamic -Wl,--build-id=none -o chain chain.c && "
	   "objcopy --only-keep-debug chain app/linked && "
	   "strip -o app/chain chain && cd app && "
	   "objcopy --add-gnu-debuglink=linked chain");
	offset = offset_of("chain", "at_innermost");
	question = ask("app/chain", NULL);
	question.build_id = "";
	assert_answer(question, MODULE_FULL, chain);
	sh("printf x >> app/linked");
	question = ask("app/chain", NULL);
	question.build_id = "";
	assert_answer(question, MODULE_SYMBOLS, exported);
}

static void test_other_build(void **state)
{
	static const char other[] = "00112233445566778899aabbccddeeff00112233";
	struct question question;

	(void)state;
	sh("cp chain app/chain");
	question = ask("app/chain", NULL);
	question.build_id = other;
	assert_answer(question, MODULE_OTHER_BUILD, "");

	question.build_id = "../../chain";
	assert_answer(question, MODULE_OTHER_BUILD, "");

	/* The right one elsewhere does. */
	sh("gcc -O1 -g -Wl,--build-id -o app/chain chain.c");
	assert_answer(ask("app/chain", NULL), MODULE_OTHER_BUILD, "");
	put_in_store("store", "chain.debug", build_id, ".debug");
	assert_answer(ask("app/chain", "store"), MODULE_FULL, chain);

	/* A debug file in the right place, of another build. */
	make_default(NULL);
	sh("gcc -O1 -g -Wl,--build-id -o store/chain.debug chain.c");
	assert_answer(ask("app/chain", "store"), MODULE_SYMBOLS, exported);
	make_default(NULL);
	sh("gcc -O1 -g -Wl,--build-id -o other chain.c");
	put_in_store("store", "other", build_id, ".debug");
	assert_answer(ask("app/chain", "store"), MODULE_SYMBOLS, exported);

	/* One that says nothing of its build is not known to be it. */
	sh("gcc -O2 -g -Wl,--build-id=none -o app/chain chain.c");
	assert_answer(ask("app/chain", NULL), MODULE_OTHER_BUILD, "");
}

static void test_unknown_build(void **state)
{
	struct question question;

	(void)state;
	sh("cp chain app/chain");
	question = ask("app/chain", NULL);
	question.build_id = NULL;
	assert_answer(question, MODULE_FULL, chain);
	/* Its debug file is still chosen by the build id that it has. */
	make_default(NULL);
	put_in_store("store", "chain.debug", build_id, ".debug");
	question = ask("app/chain", "store");
	question.build_id = NULL;
	assert_answer(question, MODULE_FULL, chain);
}

/* A program without a build id has no debug file with one. */
static void test_no_build_id(void **state)
{
	struct question question;

	(void)state;
	sh("cp chain store/chain.debug && "
	   "objcopy -R .note.gnu.build-id app/chain");
	question = ask("app/chain", "store");
	question.build_id = "";
	assert_answer(question, MODULE_SYMBOLS, exported);
	sh("objcopy -R .note.gnu.build-id store/chain.debug");
	question = ask("app/chain", "store");
	question.build_id = "";
	assert_answer(question, MODULE_FULL, chain);
}

static void test_deleted(void **state)
{
	struct question question;

	(void)state;
	assert_answer(ask("app/chain (deleted)", NULL), MODULE_SYMBOLS,
		      exported);
	put_in_store("store", "chain.debug", build_id, ".debug");
	assert_answer(ask("app/gone (deleted)", "store"), MODULE_FULL, chain);
	/* What took its place may be anything. */
	question = ask("app/chain (deleted)", NULL);
	question.build_id = "";
	assert_answer(question, MODULE_OTHER_BUILD, "");
}

/* Only the debug file: its headers have lost the program's file offsets. */
static void test_debug_file_alone(void **state)
{
	static const char *const compilers[] = {
		"gcc -O2 -g", "gcc -O2 -g -no-pie",
		"gcc -O2 -g -Wl,-z,noseparate-code",
		"clang -O2 -g -fuse-ld=lld",
		"clang -O2 -g -fuse-ld=lld -Wl,-z,separate-code",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(compilers) / sizeof(*compilers); i++) {
		make_programs(compilers[i]);
		put_in_store("store", "chain.debug", build_id, ".debug");
		assert_answer(ask("app/gone", "store"), MODULE_FULL, chain);
		/* eu-strip keeps the headers as they were. */
		sh("eu-strip -f kept.debug -o stripped chain");
		put_in_store("store", "kept.debug", build_id, ".debug");
		assert_answer(ask("app/gone", "store"), MODULE_FULL, chain);
	}
}

static void test_shared_debug_file(void **state)
{
	char shared[256];

	(void)state;
	sh("objcopy --only-keep-debug chain one.debug && "
	   "gcc -O1 -g -Wl,--build-id -o other chain.c && "
	   "objcopy --only-keep-debug other two.debug && "
	   "dwz -m shared -M ../shared.dwz one.debug two.debug");
	put_in_store("store", "one.debug", build_id, ".debug");
	strcpy(shared, build_id_of("shared"));
	put_in_store("store", "shared", shared, ".debug");
	assert_answer(ask("app/chain", "store"), MODULE_FULL, chain);

	/* As seen from the debug file, when there is no store. */
	make_default(NULL);
	sh("cp one.debug store/chain.debug && cp shared shared.dwz");
	assert_answer(ask("app/chain", "store"), MODULE_FULL, chain);
	sh("mv shared.dwz moved");
}

static void test_server(void **state)
{
	char url[4200];

	(void)state;
	sh("mkdir -p server/buildid/%s && "
	   "cp chain.debug server/buildid/%s/debuginfo", build_id, build_id);
	assert_answer(ask("app/chain", NULL), MODULE_SYMBOLS, exported);
	snprintf(url, sizeof(url), "file://%s/server", folder);
	setenv("DEBUGINFOD_URLS", url, 1);
	setenv("DEBUGINFOD_CACHE_PATH", in_folder("cache"), 1);
	assert_answer(ask("app/chain", NULL), MODULE_FULL, chain);
	assert_answer(ask("app/gone", NULL), MODULE_FULL, chain);

	sh("rm -rf server/buildid/*/* cache && "
	   "cp app/chain server/buildid/%s/executable", build_id);
	assert_answer(ask("app/gone", NULL), MODULE_SYMBOLS, exported);
	unsetenv("DEBUGINFOD_URLS");
}

static void assert_unreadable(const char *name)
{
	assert_answer(ask(name, NULL), MODULE_UNREADABLE, "");
}

static void test_no_regular_file(void **state)
{
	struct question question = { .path = "/dev/zero", .offset = offset };

	(void)state;
	sh("mkfifo fifo && ln -s fifo link && printf text > text && :> empty "
	   "&& mkdir -p directory");
	assert_unreadable("fifo");
	assert_unreadable("link");
	assert_unreadable("directory");
	assert_unreadable("text");
	assert_unreadable("empty");
	assert_answer(question, MODULE_UNREADABLE, "");

	/* Nor one that the debug data name. */
	sh("gcc -O2 -g -gsplit-dwarf -o app/split chain.c && "
	   "rm app/*.dwo && mkfifo app/split-chain.dwo");
	question = ask("app/split", NULL);
	question.build_id = "";
	assert_answer(question, MODULE_FULL, "outermost chain.c:6");
	sh("cp one.debug app/one && rm -f shared.dwz && mkfifo shared.dwz");
	question = ask("app/one", NULL);
	question.build_id = "";
	assert_answer(question, MODULE_UNREADABLE, exported);
}

static void test_no_file(void **state)
{
	static const char *const names[] = { "", "[vdso]", "[jit]",
					     "linux-vdso.so.1", "/" };
	struct question relative = ask("", "store");

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct question question = ask("", "store");

		if (*names[i] && *names[i] != '/')
			sh("cp chain 'store/%s'", names[i]);
		question.path = names[i];
		assert_answer(question, MODULE_NOT_FOUND, "");
	}
	/* Not what the current folder happens to hold, but --symbols may. */
	relative.path = "chain";
	assert_answer(relative, MODULE_NOT_FOUND, "");
	sh("cp chain store");
	assert_answer(relative, MODULE_FULL, chain);
}

/* A few kilobytes that claim to hold as many megabytes. */
static void test_compression_bomb(void **state)
{
	struct question question;

	(void)state;
	sh("echo '.section .note.GNU-stack; .section .debug_macro; "
	   ".zero 50000000' > bomb.s && "
	   "gcc -O2 -g -gz -Wl,--build-id -o app/bomb chain.c bomb.s");
	assert_answer(ask("app/bomb", NULL), MODULE_UNREADABLE, "");

	/* Nor in a file that the debug data name. */
	sh("gcc -O2 -g -gsplit-dwarf -o app/split chain.c && "
	   "head -c 50000000 /dev/zero > zeros && "
	   "objcopy --add-section .debug_macro.dwo=zeros app/split-chain.dwo && "
	   "objcopy --compress-debug-sections app/split-chain.dwo && rm zeros");
	question = ask("app/split", NULL);
	question.build_id = "";
	assert_answer(question, MODULE_FULL, "outermost chain.c:6");
}

/* Whatever is left of a file, there is an answer. */
static void test_truncated(void **state)
{
	struct question question = ask("cut", NULL);
	struct stat status;

	(void)state;
	assert_int_equal(stat(in_folder("chain"), &status), 0);
	sh("cp chain cut");
	question.build_id = "";
	for (off_t left = status.st_size - 1; left > 0; left -= left / 16 + 1) {
		const struct symbolizer_options options = { 0 };
		struct symbolizer *symbolizer = symbolizer_new(&options);
		struct symbol_module *module;

		assert_int_equal(truncate(in_folder("cut"), left), 0);
		module = symbolizer_module(symbolizer, in_folder("cut"), "");
		frames_text(module, offset);
		assert_int_not_equal(symbol_module_state(module),
				     MODULE_NOT_FOUND);
		symbolizer_free(symbolizer);
	}
	sh("head -c 64 chain > cut");
	question = ask("cut", NULL);
	question.build_id = "";
	assert_answer(question, MODULE_NO_SYMBOLS, "");
}

#define TEST(function) cmocka_unit_test_setup(function, make_default)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_but_the_program),
		TEST(test_symbol_folders),
		TEST(test_sysroot),
		TEST(test_debug_link),
		TEST(test_debug_link_checksum),
		TEST(test_other_build),
		TEST(test_unknown_build),
		TEST(test_no_build_id),
		TEST(test_deleted),
		TEST(test_compression_bomb),
		TEST(test_debug_file_alone),
		TEST(test_shared_debug_file),
		TEST(test_server),
		TEST(test_no_regular_file),
		TEST(test_no_file),
		TEST(test_truncated),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
