/* Which folder is used, and what happens when it is moved, or replaced. */
#define _GNU_SOURCE

#include "agent/destination.h"

#include "tests/support/agent_check.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static char base[PATH_MAX], folder[PATH_MAX + 8], other[PATH_MAX + 8];

static int enter(void **state)
{
	char made[] = "/tmp/agent_destination_test.XXXXXX";

	(void)state;
	if (!mkdtemp(made) || !realpath(made, base))
		return -1;
	snprintf(folder, sizeof(folder), "%s/folder", base);
	snprintf(other, sizeof(other), "%s/other", base);
	la_destination_after_fork();
	return mkdir(folder, 0755);
}

static int leave(void **state)
{
	char command[PATH_MAX + 32];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", base);
	return system(command);
}

static char said[4096];

static void choose(const char *wanted, const char *temporary)
{
	int stderr_before = dup(STDERR_FILENO), fd = memfd_create("stderr", 0);
	ssize_t size;

	dup2(fd, STDERR_FILENO);
	errno = 99;
	la_destination_choose(wanted, temporary);
	assert_int_equal(errno, 99);
	dup2(stderr_before, STDERR_FILENO);
	size = pread(fd, said, sizeof(said) - 1, 0);
	close(fd);
	close(stderr_before);
	assert_true(size >= 0);
	said[size] = '\0';
	la_destination_after_fork();
}

/* That la_destination_open says so of itself, and what it opens. */
static void assert_opens(const char *where, bool expected)
{
	char path[64], found[PATH_MAX];
	bool opened = !expected;
	int fd = la_destination_open(&opened);
	ssize_t length;

	assert_true(fd >= 0);
	assert_int_equal(fd, la_destination_fd());
	assert_int_equal(opened, expected);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, found, sizeof(found) - 1);
	assert_true(length > 0);
	found[length] = '\0';
	assert_string_equal(found, where);
}

static void test_once(void **state)
{
	(void)state;
	choose(folder, NULL);
	assert_string_equal(said, "");
	assert_string_equal(la_destination_path(), folder);
	assert_opens(folder, true);
	assert_opens(folder, false);
	la_destination_after_fork();
	assert_opens(folder, true);
}

static void test_working_directory(void **state)
{
	char before[PATH_MAX];

	(void)state;
	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(folder), 0);
	choose("", NULL);
	/* As it was then: programs change it. */
	assert_int_equal(chdir("/"), 0);
	assert_string_equal(said, "");
	assert_opens(folder, true);
	assert_int_equal(chdir(base), 0);
	choose("folder", NULL);
	assert_int_equal(chdir(before), 0);
	assert_string_equal(said, "");
	assert_opens(folder, true);
}

static void test_one_that_cannot_be_used(void **state)
{
	static const char reason[] = "leakagent: /nowhere/at/all: cannot be "
				     "written to: snapshots go to ";
	char expected[2 * PATH_MAX], file[PATH_MAX + 16];
	FILE *created;

	(void)state;
	choose("/nowhere/at/all", folder);
	snprintf(expected, sizeof(expected),
		 "%s%s; set LEAKAGENT_DIR to choose a folder\n", reason,
		 folder);
	assert_string_equal(said, expected);
	assert_opens(folder, true);
	snprintf(file, sizeof(file), "%s/file", folder);
	created = fopen(file, "w");
	assert_non_null(created);
	fclose(created);
	choose(file, folder);
	assert_non_null(strstr(said, file));
	assert_opens(folder, true);
	for (int i = 0; i < 3; i++) {
		const char *temporary[] = { "/nowhere/else", "", NULL };

		choose("/nowhere/at/all", temporary[i]);
		assert_non_null(strstr(said, " go to /tmp; "));
		assert_opens("/tmp", true);
	}
}

static void test_one_that_is_a_link(void **state)
{
	(void)state;
	assert_int_equal(symlink(folder, other), 0);
	choose(other, NULL);
	assert_string_equal(la_destination_path(), folder);
	assert_opens(folder, true);
	assert_opens(folder, false);
}

static void test_one_that_is_moved(void **state)
{
	(void)state;
	choose(folder, NULL);
	assert_opens(folder, true);
	assert_int_equal(rename(folder, other), 0);
	assert_opens(other, false);
	/* Another one in its place. */
	assert_int_equal(mkdir(folder, 0755), 0);
	assert_opens(folder, true);
	assert_opens(folder, false);
}

static void test_one_that_has_gone(void **state)
{
	bool opened;

	(void)state;
	choose(folder, NULL);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(la_destination_open(&opened), -ENOENT);
	assert_false(opened);
	assert_int_equal(mkdir(folder, 0755), 0);
	assert_opens(folder, true);
}

/* Somebody else's folder is no place for ours. */
static void test_one_that_is_planted(void **state)
{
	(void)state;
	choose(folder, NULL);
	assert_opens(folder, true);
	assert_int_equal(rename(folder, other), 0);
	assert_int_equal(mkdir(folder, 0777), 0);
	if (geteuid())
		return; /* only root can give it to another */
	assert_int_equal(chown(folder, 12345, 12345), 0);
	assert_opens(other, false);
	assert_int_equal(chown(folder, 0, 0), 0);
	assert_opens(folder, true);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, enter, leave)
	const struct CMUnitTest tests[] = {
		CASE(test_once),
		CASE(test_working_directory),
		CASE(test_one_that_cannot_be_used),
		CASE(test_one_that_is_a_link),
		CASE(test_one_that_is_moved),
		CASE(test_one_that_has_gone),
		CASE(test_one_that_is_planted),
	};
#undef CASE

	return cmocka_run_group_tests(tests, NULL, NULL);
}
