/*
 * Finding folders: the same as open(2) finds, but for links of others in places
 * that are everybody's.
 */
#define _GNU_SOURCE

#include "agent/folder.h"

#include "tests/support/agent_check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { OTHER = 12345, ANOTHER = 12346 };

static char folder[PATH_MAX];

/* folder/target, folder/public, which is like /tmp, and a link in there. */
static int make_folders(void **state)
{
	char made[] = "/tmp/agent_folder_test.XXXXXX";

	(void)state;
	if (!mkdtemp(made) || !realpath(made, folder) || chdir(folder) ||
	    chmod(folder, 0755) || mkdir("target", 0755) ||
	    mkdir("target/below", 0755) || mkdir("public", 0755) ||
	    chmod("public", 01777) ||
	    symlink("../target", "public/link"))
		return -1;
	return 0;
}

static int remove_folders(void **state)
{
	char command[PATH_MAX + 32];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return chdir("/") || system(command) ? -1 : 0;
}

static bool same_folder(int fd, const char *path)
{
	struct stat found, expected;

	assert_int_equal(fstat(fd, &found), 0);
	assert_int_equal(stat(path, &expected), 0);
	return found.st_dev == expected.st_dev &&
	       found.st_ino == expected.st_ino;
}

static void check_found(const char *path)
{
	int fd = la_folder_find(path);

	assert_true(fd >= 0);
	assert_true(same_folder(fd, path));
	close(fd);
}

static void check_error(const char *path, int error)
{
	assert_int_equal(la_folder_find(path), error);
}

static int count_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void test_paths(void **state)
{
	int before = count_descriptors();
	char path[PATH_MAX + 32];

	(void)state;
	check_found("/");
	check_found("//");
	check_found(".");
	check_found("..");
	check_found("./target//below/../below/.");
	check_found("/proc/self/cwd");
	check_found(folder);
	snprintf(path, sizeof(path), "//%s///target/", folder);
	check_found(path);
	assert_int_equal(count_descriptors(), before);
}

static void test_what_is_no_folder(void **state)
{
	int before = count_descriptors();
	char path[PATH_MAX + 32];

	(void)state;
	close(open("file", O_WRONLY | O_CREAT, 0600));
	assert_int_equal(mkfifo("fifo", 0600), 0);
	check_error("", -ENOENT);
	check_error("absent", -ENOENT);
	check_error("absent/..", -ENOENT);
	check_error("file", -ENOTDIR);
	check_error("file/", -ENOTDIR);
	check_error("file/below", -ENOTDIR);
	check_error("fifo", -ENOTDIR);
	memset(path, 'x', sizeof(path));
	path[PATH_MAX] = '\0';
	check_error(path, -ENAMETOOLONG);
	path[NAME_MAX + 1] = '\0';
	check_error(path, -ENAMETOOLONG);
	assert_int_equal(count_descriptors(), before);
}

static void test_links(void **state)
{
	char path[PATH_MAX + 32];

	(void)state;
	snprintf(path, sizeof(path), "%s/target", folder);
	assert_int_equal(symlink(path, "absolute"), 0);
	assert_int_equal(symlink("absolute/below", "chain"), 0);
	assert_int_equal(symlink("nothing", "dangling"), 0);
	assert_int_equal(symlink("self", "self"), 0);
	assert_int_equal(symlink("/", "root"), 0);
	check_found("absolute");
	check_found("absolute/below");
	check_found("chain");
	check_found("chain/..");
	check_found("public/link/below");
	snprintf(path, sizeof(path), "root/%s/chain", folder);
	check_found(path);
	check_error("dangling", -ENOENT);
	check_error("self", -ELOOP);
}

static void test_a_path_that_grows(void **state)
{
	char target[PATH_MAX - 1], path[PATH_MAX];

	(void)state;
	memset(target, '/', sizeof(target));
	target[sizeof(target) - 1] = '\0';
	assert_int_equal(symlink(target, "long"), 0);
	strcpy(path, "long/target/below");
	check_error(path, -ENAMETOOLONG);
}

static void own(const char *path, uid_t user)
{
	assert_int_equal(lchown(path, user, user), 0);
}

static void test_links_of_others(void **state)
{
	int before = count_descriptors();

	(void)state;
	own("public/link", OTHER);
	check_error("public/link", -ELOOP);
	check_error("public/link/below", -ELOOP);
	assert_int_equal(symlink("public/link", "ours"), 0);
	check_error("ours/below", -ELOOP);
	/* It is whose the folder is. */
	own("public", OTHER);
	check_found("public/link");
	own("public", ANOTHER);
	check_error("public/link", -ELOOP);
	/* Not everybody's: whoever may write there is trusted. */
	assert_int_equal(chmod("public", 01775), 0);
	check_found("public/link");
	assert_int_equal(chmod("public", 0777), 0);
	check_found("public/link");
	/* A folder of others is no link. */
	assert_int_equal(chmod("public", 01777), 0);
	assert_int_equal(mkdir("public/folder", 0777), 0);
	own("public/folder", OTHER);
	check_found("public/folder");
	assert_int_equal(count_descriptors(), before);
}

int main(void)
{
#define CASE(test)                                                             \
	cmocka_unit_test_setup_teardown(test, make_folders, remove_folders)
	const struct CMUnitTest tests[] = {
		CASE(test_paths),
		CASE(test_what_is_no_folder),
		CASE(test_links),
		CASE(test_a_path_that_grows),
		/* Last: only root can make files of others. */
		CASE(test_links_of_others),
	};
#undef CASE
	size_t count = array_length(tests) - (geteuid() != 0);

	return _cmocka_run_group_tests("folder", tests, count, NULL, NULL);
}
