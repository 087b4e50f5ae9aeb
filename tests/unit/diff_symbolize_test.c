/* What the symboliser says of programs as real compilers make them. */
#include "tests/support/symbol_programs.h"

static const char chain[] = "innermost chain.c:6 in middle chain.c:12 in "
			    "outermost chain.c:17";

static void assert_chain(const char *compile)
{
	struct question question = { .path = NULL };

	sh("%s -o chain chain.c", compile);
	question.offset = offset_of("chain", "at_innermost");
	question.path = in_folder("chain");
	assert_answer(question, MODULE_FULL, chain);
	question.offset = offset_of("chain", "at_outermost");
	question.path = in_folder("chain");
	assert_answer(question, MODULE_FULL, "outermost chain.c:18");
}

static void test_inlined_frames(void **state)
{
	static const char *const compilers[] = {
		"gcc -O2 -g",
		"gcc -O2 -gdwarf-4",
		"gcc -O2 -g1",
		"gcc -O2 -g -no-pie",
		"gcc -O2 -g -static-pie",
		"gcc -O2 -g -gz",
		"gcc -O2 -g -flto=1",
		"gcc -O2 -g -gsplit-dwarf",
		"gcc -O2 -gdwarf-4 -gsplit-dwarf",
		"gcc -O2 -g -ffunction-sections -Wl,--gc-sections",
		"clang -O2 -g",
		"clang -O2 -gdwarf-4",
		"clang -O2 -gline-tables-only",
		"clang -O2 -g -gsplit-dwarf",
		/* Code lies at another place in the file than in memory. */
		"clang -O2 -g -fuse-ld=lld",
		"clang -O2 -g -flto -fuse-ld=lld",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(compilers) / sizeof(*compilers); i++)
		assert_chain(compilers[i]);
}

/* What the compiler's folder and the name in the line table make together. */
static void test_files_are_absolute(void **state)
{
	const struct symbolizer_options options = { 0 };
	struct symbolizer *symbolizer = symbolizer_new(&options);
	const struct source_frame *frames;
	struct symbol_module *module;

	(void)state;
	sh("mkdir -p sub/build && cd sub/build && "
	   "gcc -O2 -g -o ../../absolute ../../chain.c");
	module = symbolizer_module(symbolizer, in_folder("absolute"), NULL);
	assert_int_equal(symbolize(module,
				   offset_of("absolute", "at_innermost"),
				   &frames), 3);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(frames[i].file, in_folder("chain.c"));
	symbolizer_free(symbolizer);
}

static void assert_names(const char *compile, const char *lambda,
			 const char *unseen)
{
	struct question question = { .path = NULL };

	sh("%s -o names names.cc", compile);
	question.offset = offset_of("names", "at_method");
	question.path = in_folder("names");
	assert_answer(question, MODULE_FULL,
		      "app::cache<long>::put(long) names.cc:9");
	question.offset = offset_of("names", "at_lambda");
	question.path = in_folder("names");
	assert_answer(question, MODULE_FULL, lambda);
	question.offset = offset_of("names", "at_unseen");
	question.path = in_folder("names");
	assert_answer(question, MODULE_FULL, unseen);
	question.offset = offset_of("names", "at_stay");
	question.path = in_folder("names");
	assert_answer(question, MODULE_FULL, "app::(anonymous namespace)::"
		      "unseen::stay(int) names.cc:25");
}

/* The linker leaves debug information of what it dropped, at address 0. */
static void test_dropped_functions(void **state)
{
	/* Code in one segment that starts at 0, but for the last one's. */
	static const char *const linkers[] = { "bfd -Wl,-z,noseparate-code",
					       "gold", "lld" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct question question = { .path = NULL };

		sh("gcc -O2 -g -ffunction-sections -fuse-ld=%s "
		   "-Wl,--gc-sections -o dropped dropped.c",
		   linkers[i]);
		question.offset = offset_of("dropped", "at_kept");
		question.path = in_folder("dropped");
		assert_answer(question, MODULE_FULL, "kept dropped.c:12");
		question.offset = offset_of("dropped", "_start");
		question.path = in_folder("dropped");
		assert_answer(question, MODULE_FULL, "_start ?:0");
	}
}

static void test_cxx_names(void **state)
{
	const char *gcc_lambda = "app::run(int)::{lambda}::operator() "
				 "names.cc:36 in app::run(int) names.cc:42";
	const char *gcc_unseen = "app::(anonymous namespace)::unseen::touch "
				 "names.cc:19 in app::run(int) names.cc:40";

	(void)state;
	assert_names("g++ -O2 -g", gcc_lambda, gcc_unseen);
	assert_names("g++ -O2 -g -flto=1", gcc_lambda, gcc_unseen);
	assert_names("clang++ -O2 -g",
		     "app::run(int)::$_0::operator()(int) const names.cc:36 "
		     "in app::run(int) names.cc:42",
		     "app::(anonymous namespace)::unseen::touch(int) "
		     "names.cc:19 in app::run(int) names.cc:40");
}

/* Each of these is the label's own place, so every guess would show. */
static void assert_table(const char *program, const char *label,
			 enum module_state state, const char *frames)
{
	struct question question = { .offset = offset_of("table", label) };

	question.path = in_folder(program);
	assert_answer(question, state, frames);
}

static void test_symbol_table(void **state)
{
	(void)state;
	sh("gcc -o table table.c");
	assert_table("table", "at_sized", MODULE_SYMBOLS, "sized ?:0");
	assert_table("table", "at_gap", MODULE_SYMBOLS, "");
	assert_table("table", "at_endless", MODULE_SYMBOLS, "");
	assert_table("table", "at_data", MODULE_SYMBOLS, "");
	assert_table("table", "at_alias", MODULE_SYMBOLS, "chosen ?:0");
	assert_table("table", "at_clone", MODULE_SYMBOLS, "worker ?:0");
	assert_table("table", "at_mangled", MODULE_SYMBOLS,
		     "app::work(int) ?:0");
}

static void test_dynamic_symbols(void **state)
{
	(void)state;
	sh("gcc -rdynamic -o table table.c && strip -o exported table");
	assert_table("exported", "at_sized", MODULE_SYMBOLS, "sized ?:0");
	assert_table("exported", "at_alias", MODULE_SYMBOLS, "chosen ?:0");
	assert_table("exported", "at_gap", MODULE_SYMBOLS, "");
	assert_table("exported", "at_clone", MODULE_SYMBOLS, "");

	sh("gcc -static -o table table.c && strip -o bare table");
	assert_table("bare", "at_sized", MODULE_NO_SYMBOLS, "");
}

static void test_compressed_symbols(void **state)
{
	(void)state;
	sh("gcc -rdynamic -o table table.c && strip -o carried table && "
	   "objcopy -S --remove-section=.comment --keep-symbol=worker.part.0 "
	   "table mini && xz -k --force mini && "
	   "objcopy --add-section .gnu_debugdata=mini.xz carried");
	assert_table("carried", "at_clone", MODULE_SYMBOLS, "worker ?:0");
	assert_table("carried", "at_sized", MODULE_SYMBOLS, "sized ?:0");
}

static void test_answers_are_kept(void **state)
{
	const struct symbolizer_options options = { 0 };
	struct symbolizer *symbolizer = symbolizer_new(&options);
	const struct source_frame *first, *second;
	struct symbol_module *module;
	uint64_t offset;

	(void)state;
	sh("gcc -O2 -g -o kept chain.c");
	offset = offset_of("kept", "at_innermost");
	module = symbolizer_module(symbolizer, in_folder("kept"), NULL);
	assert_ptr_equal(module, symbolizer_module(symbolizer,
						   in_folder("kept"), ""));
	assert_ptr_not_equal(module, symbolizer_module(symbolizer,
						       in_folder("kept"),
						       "1234"));
	assert_int_equal(symbolize(module, offset, &first), 3);
	assert_int_equal(symbolize(module, offset, &second), 3);
	assert_ptr_equal(first, second);
	symbolizer_free(symbolizer);
}

/* A report may need more files than a process may have open. */
static void test_descriptors_are_given_back(void **state)
{
	const struct symbolizer_options options = { 0 };
	struct symbolizer *symbolizer = symbolizer_new(&options);
	int before = dup(0);
	int after;

	(void)state;
	close(before);
	sh("gcc -O2 -g -gsplit-dwarf -o open chain.c");
	for (int i = 0; i < 10; i++) {
		char name[64];
		struct symbol_module *module;

		sh("ln -s open open%d", i);
		snprintf(name, sizeof(name), "open%d", i);
		module = symbolizer_module(symbolizer, in_folder(name), NULL);
		assert_string_equal(frames_text(module,
						offset_of("open",
							  "at_innermost")),
				    chain);
	}
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
	symbolizer_free(symbolizer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inlined_frames),
		cmocka_unit_test(test_files_are_absolute),
		cmocka_unit_test(test_cxx_names),
		cmocka_unit_test(test_dropped_functions),
		cmocka_unit_test(test_symbol_table),
		cmocka_unit_test(test_dynamic_symbols),
		cmocka_unit_test(test_compressed_symbols),
		cmocka_unit_test(test_answers_are_kept),
		cmocka_unit_test(test_descriptors_are_given_back),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
