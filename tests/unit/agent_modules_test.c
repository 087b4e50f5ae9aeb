/* build: -ldl -Wl,--wrap=dl_iterate_phdr */
/*
 * The map of what is loaded is in doubt from the moment on that something may
 * have changed until it has been brought up to date.
 */
#define _GNU_SOURCE

#include "agent/modules.h"

#include "tests/support/agent_check.h"

#include <dlfcn.h>
#include <link.h>

typedef int on_object(struct dl_phdr_info *info, size_t size, void *argument);

int __real_dl_iterate_phdr(on_object *callback, void *argument);
int __wrap_dl_iterate_phdr(on_object *callback, void *argument);

/* What another thread finds while one is looking at the loader's list. */
static unsigned looks, looks_without_doubt;
static bool suspect_meanwhile;

int __wrap_dl_iterate_phdr(on_object *callback, void *argument)
{
	looks++;
	if (suspect_meanwhile)
		la_modules_suspect();
	looks_without_doubt += !la_modules_suspected();
	return __real_dl_iterate_phdr(callback, argument);
}

static void look(void)
{
	looks = looks_without_doubt = 0;
	la_modules_refresh();
	assert_in_range(looks, 1, 10);
}

static void test_in_doubt_until_it_is_known(void **state)
{
	(void)state;
	assert_false(la_modules_suspected());
	la_modules_suspect();
	assert_true(la_modules_suspected());
	look();
	assert_int_equal(looks_without_doubt, 0);
	assert_false(la_modules_suspected());
}

static void test_what_comes_up_meanwhile(void **state)
{
	(void)state;
	la_modules_suspect();
	suspect_meanwhile = true;
	look();
	suspect_meanwhile = false;
	assert_true(la_modules_suspected());
	look();
	assert_false(la_modules_suspected());
}

static void test_loaded_and_unloaded(void **state)
{
	uint32_t generation = la_modules_generation();
	uintptr_t address;
	void *library;

	(void)state;
	la_modules_suspect();
	look();
	assert_int_equal(la_modules_generation(), generation);
	library = dlopen("libthread_db.so.1", RTLD_LAZY);
	assert_non_null(library);
	address = (uintptr_t)dlsym(library, "td_init");
	assert_int_equal(la_modules_find(address), 0);
	la_modules_suspect();
	look();
	assert_int_equal(looks_without_doubt, 0);
	assert_int_equal(la_modules_generation(), generation + 1);
	assert_int_not_equal(la_modules_find(address), 0);
	dlclose(library);
	la_modules_suspect();
	look();
	assert_int_equal(la_modules_generation(), generation + 2);
	assert_int_equal(la_modules_find(address), 0);
}

/* ---- while another thread has the list locked ---- */

static void (*meanwhile)(void);

static void on_another_thread(unsigned number)
{
	(void)number;
	meanwhile();
}

static int have_it_locked(struct dl_phdr_info *info, size_t size, void *argument)
{
	(void)info, (void)size, (void)argument;
	crew(1, on_another_thread);
	return 1;
}

static void with_the_list_locked(void (*function)(void))
{
	meanwhile = function;
	__real_dl_iterate_phdr(have_it_locked, NULL);
}

static void refresh(void)
{
	la_modules_refresh();
}

/* Nobody waits; it stays in doubt. */
static void test_locked(void **state)
{
	uint32_t generation = la_modules_generation();

	(void)state;
	la_modules_suspect();
	with_the_list_locked(refresh);
	assert_true(la_modules_suspected());
	assert_int_equal(la_modules_generation(), generation);
	look();
	assert_false(la_modules_suspected());
}

/* A thread's own code is known nevertheless. */
static uintptr_t own_code;
static uint32_t own_module, named_module;

static void find_own(void)
{
	own_module = la_modules_find_own(own_code);
	note_unless(!la_modules_find_own(1));
	named_module = la_modules_named("libz.so.1");
}

static void test_own_code_while_locked(void **state)
{
	void *library = dlopen("libz.so.1", RTLD_NOW);
	const struct la_module *module;

	(void)state;
	assert_non_null(library);
	own_code = (uintptr_t)dlsym(library, "deflate");
	assert_int_equal(la_modules_find(own_code), 0);
	la_modules_suspect();
	with_the_list_locked(find_own);
	assert_true(la_modules_suspected());
	assert_int_not_equal(own_module, 0);
	assert_int_equal(named_module, own_module);
	look();
	assert_int_equal(la_modules_find(own_code), own_module);
	module = la_module_at(own_module);
	assert_string_equal(module->soname, "libz.so.1");
	assert_in_range(own_code, module->start, module->end);
	dlclose(library);
}

static int boot(void **state)
{
	(void)state;
	return la_modules_boot();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_doubt_until_it_is_known),
		cmocka_unit_test(test_what_comes_up_meanwhile),
		cmocka_unit_test(test_loaded_and_unloaded),
		cmocka_unit_test(test_locked),
		cmocka_unit_test(test_own_code_while_locked),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
