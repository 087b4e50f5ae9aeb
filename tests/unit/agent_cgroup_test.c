/* Limits of memory as cgroups of both versions say, in a made-up file system. */
#define _GNU_SOURCE

#include "agent/cgroup.h"

#include "tests/support/agent_check.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static char root[] = "/tmp/agent_cgroup_test.XXXXXX";

static void write_file(const char *path, const char *text)
{
	char name[512];
	FILE *file;

	snprintf(name, sizeof(name), "%s%s", root, path);
	for (char *slash = name + strlen(root) + 1;
	     (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(name, 0700);
		*slash = '/';
	}
	file = fopen(name, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int remove_one(const char *path, const struct stat *status, int type,
		      struct FTW *place)
{
	(void)status, (void)type;
	return place->level ? remove(path) : 0;
}

static int clear(void **state)
{
	(void)state;
	return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int create(void **state)
{
	(void)state;
	return mkdtemp(root) ? 0 : -1;
}

static int destroy(void **state)
{
	return clear(state) || rmdir(root);
}

#define NONE UINT64_MAX

static void assert_limit(uint64_t limit)
{
	uint64_t found = la_cgroup_memory_limit(root);

	if (found != limit)
		fail_msg("%lu, and not %lu", found, limit);
}

static void test_no_cgroups(void **state)
{
	(void)state;
	assert_limit(NONE);
	write_file("/proc/self/cgroup", "");
	assert_limit(NONE);
	write_file("/proc/self/cgroup", "0::/a\n4:memory:/a\n");
	assert_limit(NONE);
}

static void test_second_version(void **state)
{
	(void)state;
	write_file("/proc/self/cgroup", "0::/user.slice/server.service\n");
	write_file("/sys/fs/cgroup/user.slice/server.service/memory.max",
		   "max\n");
	assert_limit(NONE);
	write_file("/sys/fs/cgroup/user.slice/memory.max", "2147483648\n");
	assert_limit(UINT64_C(2) << 30);
	write_file("/sys/fs/cgroup/user.slice/server.service/memory.max",
		   "1073741824\n");
	assert_limit(UINT64_C(1) << 30);
	/* Whatever is least counts. */
	write_file("/sys/fs/cgroup/user.slice/memory.max", "1000000\n");
	assert_limit(1000000);
}

/* In a container, the group is seen as the root. */
static void test_second_version_in_a_container(void **state)
{
	(void)state;
	write_file("/proc/self/cgroup", "0::/\n");
	write_file("/sys/fs/cgroup/memory.max", "536870912\n");
	assert_limit(512 << 20);
}

static void test_first_version(void **state)
{
	(void)state;
	write_file("/proc/self/cgroup",
		   "9:name=systemd:/x\n8:cpu,cpuacct:/x\n"
		   "4:hugetlb,memory:/docker/4711\n0::/\n");
	write_file("/sys/fs/cgroup/memory/memory.limit_in_bytes",
		   "9223372036854771712\n");
	assert_limit(UINT64_C(9223372036854771712));
	write_file("/sys/fs/cgroup/memory/docker/4711/memory.limit_in_bytes",
		   "268435456\n");
	assert_limit(256 << 20);
}

/* There the path is the host's, and leads nowhere. */
static void test_first_version_in_a_container(void **state)
{
	(void)state;
	write_file("/proc/self/cgroup", "4:memory:/docker/4711\n");
	write_file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1048576\n");
	assert_limit(1 << 20);
}

/* Other controllers' groups are not memory's. */
static void test_other_controllers(void **state)
{
	(void)state;
	write_file("/proc/self/cgroup",
		   "5:notmemory:/a\n6:memory2,cpu:/a\n7:name=memory:/a\n");
	write_file("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "4096\n");
	write_file("/sys/fs/cgroup/a/memory.max", "4096\n");
	assert_limit(NONE);
}

static void test_files_that_make_no_sense(void **state)
{
	static const char *const texts[] = { "0", "0:", "::\n", "0::", "\n\n",
					     "0::a/../b\n", ":memory:\n" };

	(void)state;
	for (size_t i = 0; i < array_length(texts); i++) {
		write_file("/proc/self/cgroup", texts[i]);
		assert_limit(NONE);
	}
	write_file("/proc/self/cgroup", "0::/a");
	write_file("/sys/fs/cgroup/a/memory.max", "");
	assert_limit(NONE);
	write_file("/sys/fs/cgroup/a/memory.max", "77");
	assert_limit(77);
}

static void test_this_machine(void **state)
{
	(void)state;
	assert_true(la_cgroup_memory() > 1 << 20);
	assert_true(la_cgroup_memory() < UINT64_C(1) << 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_no_cgroups, clear),
		cmocka_unit_test_teardown(test_second_version, clear),
		cmocka_unit_test_teardown(test_second_version_in_a_container,
					  clear),
		cmocka_unit_test_teardown(test_first_version, clear),
		cmocka_unit_test_teardown(test_first_version_in_a_container,
					  clear),
		cmocka_unit_test_teardown(test_other_controllers, clear),
		cmocka_unit_test_teardown(test_files_that_make_no_sense, clear),
		cmocka_unit_test(test_this_machine),
	};

	return cmocka_run_group_tests(tests, create, destroy);
}
