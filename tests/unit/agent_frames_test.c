/* build: -ldl -fuse-ld=lld -Wl,--build-id=0x0123456789abcdef001122330123456789abcdef001122330123456789abcdef0123456789abcdef */
/*
 * Which module an address belongs to, and its frame: also when plugins come
 * and go and another takes the place of one that has gone.
 */
#define _GNU_SOURCE

#include "agent/frames.h"
#include "agent/modules.h"

#include "tests/support/agent_check.h"
#include "tests/support/program_libraries.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

static char plugins[2][PATH_MAX];
static void *libc; /* not RTLD_DEFAULT: sanitizers define its names, too */

static const struct la_module *module_of(uintptr_t address)
{
	uint32_t id = la_modules_find(address);

	assert_int_not_equal(id, 0);
	return la_module_at(id);
}

static uintptr_t address_in(void *library, const char *symbol)
{
	uintptr_t address = (uintptr_t)dlsym(library, symbol);

	assert_int_not_equal(address, 0);
	return address;
}

/* ---- modules ---- */

static void test_main_program_is_the_first(void **state)
{
	char path[PATH_MAX] = "";
	const struct la_module *module = module_of((uintptr_t)&module_of);

	(void)state;
	assert_true(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
	assert_ptr_equal(module, la_module_at(1));
	assert_string_equal(module->path, path);
	/* The agent is linked into it here. */
	assert_true(module->ours);
}

static void test_build_id(void **state)
{
	/* As it was told to the linker, above. */
#define EIGHT 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef
#define FOUR 0x00, 0x11, 0x22, 0x33
	static const uint8_t id[] = { EIGHT, FOUR, EIGHT, FOUR, EIGHT, EIGHT };
#undef EIGHT
#undef FOUR
	const struct la_module *module = la_module_at(1);

	(void)state;
	assert_int_equal(module->build_id_size, sizeof(id));
	assert_memory_equal(module->build_id, id, sizeof(id));
}

static void test_library(void **state)
{
	const struct la_module *module =
		module_of(address_in(libc, "qsort"));

	(void)state;
	assert_non_null(strstr(module->path, "/libc.so.6"));
	assert_int_equal(module->path[0], '/');
	assert_false(module->ours);
	assert_int_equal(module->build_id_size, 20);
}

static void test_kernels_object(void **state)
{
	uintptr_t base = getauxval(AT_SYSINFO_EHDR);
	const struct la_module *module = module_of(base + 0x800);

	(void)state;
	assert_string_equal(module->path, "[vdso]");
	assert_int_equal(module->image_start, base);
	assert_false(module->ours);
}

static void test_addresses_of_no_file(void **state)
{
	static char data[64];

	(void)state;
	assert_int_equal(la_modules_find(0), 0);
	assert_int_equal(la_modules_find(UINTPTR_MAX), 0);
	assert_int_equal(la_modules_find((uintptr_t)&state), 0);
	/* Not code. */
	assert_int_equal(la_modules_find((uintptr_t)data), 0);
}

static void test_borders(void **state)
{
	(void)state;
	for (uint32_t id = 1; id <= la_modules_count(); id++) {
		const struct la_module *module = la_module_at(id);

		assert_true(module->start < module->end);
		assert_true(module->image_start <= module->start);
		assert_int_equal(la_modules_find(module->start), id);
		assert_int_equal(la_modules_find(module->end - 1), id);
		assert_int_not_equal(la_modules_find(module->start - 1), id);
		assert_int_not_equal(la_modules_find(module->end), id);
	}
}

/*
 * address - start + file_offset is the place in the file. (This program is
 * linked by lld: its code begins in the midst of a page.)
 */
static void test_places_in_the_file(void **state)
{
	unsigned compared = 0;

	(void)state;
	for (uint32_t id = 1; id <= la_modules_count(); id++) {
		const struct la_module *module = la_module_at(id);
		int fd = open(module->path, O_RDONLY);
		char bytes[4096];

		if (module->path[0] == '[')
			continue;
		assert_true(fd >= 0);
		assert_int_equal(pread(fd, bytes, sizeof(bytes),
				       (off_t)module->file_offset),
				 sizeof(bytes));
		close(fd);
		assert_memory_equal(bytes, (const void *)module->start,
				    sizeof(bytes));
		compared++;
	}
	assert_true(compared >= 4);
}

static int count_objects(struct dl_phdr_info *info, size_t size, void *argument)
{
	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++)
		*(uint32_t *)argument +=
			info->dlpi_phdr[i].p_type == PT_LOAD &&
			(info->dlpi_phdr[i].p_flags & PF_X);
	return 0;
}

static void test_every_object_once(void **state)
{
	uint32_t segments = 0;

	(void)state;
	dl_iterate_phdr(count_objects, &segments);
	assert_int_equal(la_modules_count(), segments);
	la_modules_suspect();
	assert_true(la_modules_suspected());
	la_modules_refresh();
	assert_false(la_modules_suspected());
	assert_int_equal(la_modules_count(), segments);
}

/* ---- frames ---- */

static void test_one_frame_for_an_address(void **state)
{
	uintptr_t address = address_in(libc, "qsort") + 40;
	uint32_t id;

	(void)state;
	/* Never seen, and no time to look. */
	assert_int_equal(la_frames_find(address, false), 0);
	id = la_frames_find(address, true);
	assert_true(id >= LA_FRAME_FIRST);
	assert_int_equal(la_frames_find(address, true), id);
	assert_int_equal(la_frames_find(address, false), id);
	assert_int_equal(la_frame_at(id)->address, address);
	assert_int_equal(la_frame_at(id)->module, la_modules_find(address));
	assert_false(la_frame_at(id)->ours);
	assert_int_not_equal(la_frames_find(address + 1, true), id);
}

static void test_own_frames(void **state)
{
	uint32_t id = la_frames_find((uintptr_t)&test_own_frames + 8, true);

	(void)state;
	assert_true(la_frame_at(id)->ours);
}

static void test_code_of_no_file(void **state)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_int_equal(la_frames_find((uintptr_t)page + 5, true),
			 LA_FRAME_ID_JIT);
	assert_int_equal(la_frames_find((uintptr_t)page + 5, false), 0);
	assert_int_equal(la_frames_find((uintptr_t)page + 99, true),
			 LA_FRAME_ID_JIT);
	assert_int_equal(la_frame_at(LA_FRAME_ID_JIT)->rule.kind,
			 LA_RULE_GUESS);
	munmap(page, 4096);
}

static void test_many_frames(void **state)
{
	uintptr_t start = module_of(address_in(libc, "qsort"))->start + 4096;
	enum { MANY = 20000 };
	static uint32_t ids[MANY];

	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		ids[i] = la_frames_find(start + 5 * i, true);
	for (uint32_t i = 0; i < MANY; i++) {
		assert_int_equal(la_frames_find(start + 5 * i, false), ids[i]);
		assert_int_equal(la_frame_at(ids[i])->address, start + 5 * i);
	}
}

/* ---- plugins ---- */

struct loaded {
	void *handle;
	uintptr_t address; /* of code in it */
};

static struct loaded load(int number)
{
	struct loaded loaded = { dlopen(plugins[number], RTLD_NOW), 0 };

	if (!loaded.handle)
		fail_msg("%s", dlerror());
	loaded.address = address_in(loaded.handle, "plugin_run");
	la_modules_suspect();
	la_modules_refresh();
	return loaded;
}

static void unload(struct loaded loaded)
{
	dlclose(loaded.handle);
	la_modules_suspect();
	la_modules_refresh();
}

static void test_unloaded_is_not_found(void **state)
{
	uint32_t generation = la_modules_generation();
	struct loaded one = load(0);

	(void)state;
	assert_string_equal(module_of(one.address)->path, plugins[0]);
	/* What was code of no file may be a file's now. */
	assert_int_not_equal(la_modules_generation(), generation);
	generation = la_modules_generation();
	unload(one);
	assert_int_not_equal(la_modules_generation(), generation);
	assert_int_equal(la_modules_find(one.address), 0);
	assert_int_equal(la_frames_find(one.address, true), LA_FRAME_ID_JIT);
}

static void test_loaded_again_is_the_same(void **state)
{
	struct loaded first = load(0), second;
	uint32_t module = la_modules_find(first.address);
	uint32_t frame = la_frames_find(first.address, true);

	(void)state;
	unload(first);
	second = load(0);
	assert_int_equal(second.address, first.address);
	assert_int_equal(la_modules_find(second.address), module);
	/* It must be looked up anew, and is found to be the old one. */
	assert_int_equal(la_frames_find(second.address, false), 0);
	assert_int_equal(la_frames_find(second.address, true), frame);
	assert_int_equal(la_frames_find(second.address, false), frame);
	unload(second);
}

static void test_another_at_the_same_address(void **state)
{
	struct loaded one = load(0), two;
	uint32_t module = la_modules_find(one.address), other_module;
	uint32_t frame = la_frames_find(one.address, true), other_frame;

	(void)state;
	unload(one);
	two = load(1);
	assert_int_equal(two.address, one.address);
	other_module = la_modules_find(two.address);
	assert_int_not_equal(other_module, module);
	assert_string_equal(la_module_at(other_module)->path, plugins[1]);
	other_frame = la_frames_find(two.address, true);
	assert_int_not_equal(other_frame, frame);
	assert_int_equal(la_frame_at(other_frame)->module, other_module);
	/* What was recorded of the first stays what it was. */
	assert_string_equal(la_module_at(module)->path, plugins[0]);
	assert_int_equal(la_frame_at(frame)->module, module);
	unload(two);
	one = load(0);
	assert_int_equal(la_frames_find(one.address, true), frame);
	unload(one);
}

static void test_frames_of_others_survive(void **state)
{
	uintptr_t address = address_in(libc, "qsort") + 60;
	uint32_t frame = la_frames_find(address, true);

	(void)state;
	for (int i = 0; i < 100; i++) {
		unload(load(i % 2));
		assert_int_equal(la_frames_find(address, true), frame);
	}
}

static void test_no_new_modules_for_old_ones(void **state)
{
	uint32_t count = la_modules_count();

	(void)state;
	for (int i = 0; i < 10; i++)
		unload(load(i % 2));
	assert_int_equal(la_modules_count(), count);
}

/* ---- threads ---- */

enum { THREADS = 4, ADDRESSES = 3000 };

static uint32_t found[THREADS][ADDRESSES];
static uintptr_t first_address;

static void find_all(unsigned number)
{
	for (uint32_t i = 0; i < ADDRESSES; i++) {
		uintptr_t address = first_address + 3 * (uintptr_t)i;

		found[number][i] = la_frames_find(address, true);
		note_unless(la_frame_at(found[number][i])->address == address);
	}
}

static void test_threads_agree(void **state)
{
	uint32_t before = la_frames_count();

	(void)state;
	first_address = module_of(address_in(libc, "qsort"))->start +
			400 * 1001;
	crew(THREADS, find_all);
	for (unsigned number = 1; number < THREADS; number++)
		assert_memory_equal(found[number], found[0], sizeof(found[0]));
	assert_int_equal(la_frames_count(), before + ADDRESSES);
}

static uint32_t reloads;

static void reload_or_find(unsigned number)
{
	if (!number) {
		for (int i = 0; i < 100; i++) {
			void *plugin = dlopen(plugins[i % 2], RTLD_NOW);

			la_modules_suspect();
			la_modules_refresh();
			note_unless(plugin && !dlclose(plugin));
			la_modules_suspect();
			la_modules_refresh();
		}
		__atomic_store_n(&reloads, 1, __ATOMIC_RELEASE);
		return;
	}
	while (!__atomic_load_n(&reloads, __ATOMIC_ACQUIRE))
		for (uint32_t i = 0; i < 100; i++) {
			uintptr_t address = first_address + 3 * (uintptr_t)i;

			note_unless(la_frames_find(address, true) ==
				    found[0][i]);
		}
}

static void test_plugins_meanwhile(void **state)
{
	(void)state;
	crew(THREADS, reload_or_find);
}

static int boot(void **state)
{
	(void)state;
	libc = dlopen("libc.so.6", RTLD_NOW);
	if (!libc || la_unwind_boot() || la_modules_boot() || la_frames_boot())
		return -1;
	find_library("libplugin_one.so", plugins[0]);
	find_library("libplugin_two.so", plugins[1]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_main_program_is_the_first),
		cmocka_unit_test(test_build_id),
		cmocka_unit_test(test_library),
		cmocka_unit_test(test_kernels_object),
		cmocka_unit_test(test_addresses_of_no_file),
		cmocka_unit_test(test_borders),
		cmocka_unit_test(test_places_in_the_file),
		cmocka_unit_test(test_every_object_once),
		cmocka_unit_test(test_one_frame_for_an_address),
		cmocka_unit_test(test_own_frames),
		cmocka_unit_test(test_code_of_no_file),
		cmocka_unit_test(test_many_frames),
		cmocka_unit_test(test_unloaded_is_not_found),
		cmocka_unit_test(test_loaded_again_is_the_same),
		cmocka_unit_test(test_another_at_the_same_address),
		cmocka_unit_test(test_frames_of_others_survive),
		cmocka_unit_test(test_no_new_modules_for_old_ones),
		cmocka_unit_test(test_threads_agree),
		cmocka_unit_test(test_plugins_meanwhile),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
