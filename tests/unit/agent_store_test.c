/* build: -Wl,--wrap=openat,--wrap=renameat2,--wrap=linkat */
/*
 * The folder of snapshots: names, nothing half, nothing of others touched, and
 * no more of it than is allowed. Temporaries that were left there:
 * agent_store_sweep_test.
 */
#define _GNU_SOURCE

#include "tests/support/store_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- one file ---- */

static int store(uint64_t utc_ns, const char *text, char *path)
{
	struct la_store_file file;
	int error = la_store_begin(&file, utc_ns);

	if (error)
		return error;
	assert_int_equal(write(file.fd, text, strlen(text)), strlen(text));
	return la_store_commit(&file, path);
}

static void assert_stored(uint64_t utc_ns, const char *text, const char *name)
{
	char path[PATH_MAX];

	assert_int_equal(store(utc_ns, text, path), 0);
	assert_string_equal(path, in_folder(name));
	assert_contents(path, text);
}

static void test_name_and_contents(void **state)
{
	mode_t before = umask(0477);
	struct stat status;

	(void)state;
	assert_stored(BASE_NS, "hello", BASE_NAME ".1.pb.gz");
	umask(before);
	assert_int_equal(stat(in_folder(BASE_NAME ".1.pb.gz"), &status), 0);
	assert_int_equal(status.st_mode, S_IFREG | 0600);
	assert_int_equal(status.st_nlink, 1);
	assert_int_equal(count_names(""), 1);
}

static void test_sequence(void **state)
{
	(void)state;
	assert_stored(BASE_NS, "a", BASE_NAME ".1.pb.gz");
	assert_stored(BASE_NS, "b", BASE_NAME ".2.pb.gz");
	assert_stored(BASE_NS + 60 * SECOND, "c",
		      "server.x.4711.20251121T124601123Z.3.pb.gz");
	assert_int_equal(count_names(""), 3);
}

static void test_not_there_before_it_is_whole(void **state)
{
	struct la_store_file file;
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(la_store_begin(&file, BASE_NS), 0);
	assert_int_equal(write(file.fd, "half", 4), 4);
	assert_int_equal(count_names(""), abilities == CAN_ALL ? 0 : 1);
	assert_int_equal(count_names(".tmp"), count_names(""));
	assert_int_equal(la_store_commit(&file, path), 0);
	assert_int_equal(count_names(".tmp"), 0);
	assert_int_equal(count_names(""), 1);
}

static unsigned open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void test_abandoned(void **state)
{
	struct la_store_file file;
	unsigned before;

	(void)state;
	assert_int_equal(la_store_open(), 0);
	before = open_descriptors();
	assert_int_equal(la_store_begin(&file, BASE_NS), 0);
	assert_int_equal(write(file.fd, "half", 4), 4);
	la_store_abandon(&file);
	assert_int_equal(count_names(""), 0);
	assert_int_equal(open_descriptors(), before);
	/* Its number was not used. */
	assert_stored(BASE_NS, "a", BASE_NAME ".1.pb.gz");
	assert_int_equal(open_descriptors(), before);
}

static void test_longest_command(void **state)
{
	char name[256];

	(void)state;
	memset(la_process.command, 'c', LA_COMMAND_BYTES - 1);
	la_process.command[LA_COMMAND_BYTES - 1] = '\0';
	la_process.pid = 4194304;
	snprintf(name, sizeof(name), "%s.4194304.20251121T124501123Z.1.pb.gz",
		 la_process.command);
	assert_stored(BASE_NS, "a", name);
}

/* ---- nothing is overwritten ---- */

static void test_names_that_are_taken(void **state)
{
	(void)state;
	make_file(BASE_NAME ".1.pb.gz", "mine");
	assert_int_equal(mkdir(in_folder(BASE_NAME ".2.pb.gz"), 0700), 0);
	assert_int_equal(symlink("nowhere", in_folder(BASE_NAME ".3.pb.gz")),
			 0);
	assert_int_equal(symlink("kept", in_folder(BASE_NAME ".4.pb.gz")), 0);
	make_file("kept", "kept");
	assert_int_equal(mkfifo(in_folder(BASE_NAME ".5.pb.gz"), 0600), 0);
	assert_stored(BASE_NS, "new", BASE_NAME ".6.pb.gz");
	assert_contents(in_folder(BASE_NAME ".1.pb.gz"), "mine");
	assert_contents(in_folder("kept"), "kept");
	assert_false(is_there("nowhere"));
	assert_int_equal(count_names(""), 7);
	assert_stored(BASE_NS, "next", BASE_NAME ".7.pb.gz");
}

static void test_temporary_name_that_is_taken(void **state)
{
	(void)state;
	assert_int_equal(la_store_open(), 0);
	make_file(BASE_NAME ".1.pb.gz.tmp", "whose?");
	assert_stored(BASE_NS, "new",
		      abilities == CAN_ALL ? BASE_NAME ".1.pb.gz" :
					     BASE_NAME ".2.pb.gz");
	assert_contents(in_folder(BASE_NAME ".1.pb.gz.tmp"), "whose?");
	assert_int_equal(count_names(""), 2);
}

static void test_name_taken_meanwhile(void **state)
{
	struct la_store_file file;
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(la_store_begin(&file, BASE_NS), 0);
	make_file(BASE_NAME ".1.pb.gz", "mine");
	assert_int_equal(la_store_commit(&file, path), 0);
	assert_string_equal(path, in_folder(BASE_NAME ".2.pb.gz"));
	assert_contents(in_folder(BASE_NAME ".1.pb.gz"), "mine");
	assert_int_equal(count_names(""), 2);
}

/* ---- trouble ---- */

static void test_folder_that_has_gone(void **state)
{
	struct la_store_file file;
	char path[PATH_MAX];
	unsigned before;

	(void)state;
	assert_int_equal(la_store_open(), 0);
	before = open_descriptors();
	assert_int_equal(la_store_begin(&file, BASE_NS), 0);
	assert_int_equal(leave_folder(NULL), 0);
	assert_int_equal(la_store_commit(&file, path), -ENOENT);
	assert_int_equal(open_descriptors(), before);
	assert_true(la_store_begin(&file, BASE_NS) < 0);
	assert_int_equal(open_descriptors(), before);
	la_store_after_fork();
	assert_int_equal(la_store_open(), -ENOENT);
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_stored(BASE_NS, "a", BASE_NAME ".1.pb.gz");
}

/* It gets another name, and another one its name. */
static void test_folder_that_is_replaced(void **state)
{
	char here[PATH_MAX], path[PATH_MAX];
	unsigned before;

	(void)state;
	options.keep = 2;
	la_store_choose(&options, NULL);
	assert_int_equal(store(BASE_NS, "a", path), 0);
	before = open_descriptors();
	strcpy(here, folder);
	strcat(folder, ".moved");
	assert_int_equal(rename(here, folder), 0);
	assert_int_equal(mkdir(here, 0755), 0);
	for (int i = 1; i < 4; i++)
		assert_int_equal(store(BASE_NS + i * SECOND, "b", path), 0);
	assert_int_equal(count_names(""), 1);
	assert_int_equal(leave_folder(NULL), 0);
	strcpy(folder, here);
	/* The first of the new one stays, as it did in the old one. */
	assert_int_equal(count_names(""), 2);
	assert_true(is_there("server.x.4711.20251121T124502123Z.2.pb.gz"));
	assert_true(is_there("server.x.4711.20251121T124504123Z.4.pb.gz"));
	assert_int_equal(open_descriptors(), before);
}

/* ---- keep and dir_limit ---- */

static void set_limits(uint64_t keep, uint64_t dir_limit)
{
	options.keep = keep;
	options.dir_limit = dir_limit;
	la_store_choose(&options, NULL);
}

static void store_many(unsigned first, unsigned last)
{
	char path[PATH_MAX];

	for (unsigned i = first; i <= last; i++)
		assert_int_equal(store(BASE_NS + i * SECOND, "0123456789",
				       path),
				 0);
}

static void test_keep(void **state)
{
	(void)state;
	make_file("server.x.4712.20251121T124501123Z.1.pb.gz", "another's");
	make_file("notes", "notes");
	set_limits(4, 0);
	store_many(0, 20);
	assert_int_equal(count_names("server.x.4711."), 4);
	assert_true(is_there(BASE_NAME ".1.pb.gz"));
	assert_true(is_there("server.x.4711.20251121T124521123Z.21.pb.gz"));
	assert_int_equal(count_names(""), 6);
}

static void test_nothing_is_given_up_in_vain(void **state)
{
	char path[PATH_MAX];

	(void)state;
	set_limits(4, 0);
	store_many(0, 3);
	broken = true;
	assert_int_equal(store(BASE_NS + 4 * SECOND, "0123456789", path),
			 -EIO);
	broken = false;
	assert_int_equal(count_names(""), 4);
	store_many(5, 5);
	assert_int_equal(count_names(""), 4);
	assert_true(is_there("server.x.4711.20251121T124506123Z.5.pb.gz"));
}

static void test_keep_all(void **state)
{
	(void)state;
	set_limits(0, 0);
	store_many(1, 200);
	assert_int_equal(count_names(""), 200);
}

static void test_folder_limit(void **state)
{
	char path[PATH_MAX];

	(void)state;
	/* Room for five of ten bytes beside 50 of others and what is no
	 * snapshot. */
	make_file("other.1.20251121T124501123Z.1.pb.gz",
		  "01234567890123456789012345678901234567890123456789");
	make_file("large", "012345678901234567890123456789012345678901234567");
	set_limits(0, 100);
	store_many(0, 4);
	assert_int_equal(count_names("server.x"), 5);
	store_many(5, 9);
	assert_int_equal(count_names("server.x"), 5);
	assert_true(is_there(BASE_NAME ".1.pb.gz"));
	assert_true(is_there("server.x.4711.20251121T124510123Z.10.pb.gz"));
	/* Others need the room: the first of this process has to stay. */
	make_file("other.1.20251121T124501123Z.2.pb.gz",
		  "0123456789012345678901234567890123456789");
	assert_int_equal(store(BASE_NS + 60 * SECOND, "0123456789", path),
			 -EDQUOT);
	/* Nor is anything else given up, since that would not be enough. */
	assert_int_equal(count_names("server.x"), 5);
	assert_true(is_there(BASE_NAME ".1.pb.gz"));
	assert_true(is_there("other.1.20251121T124501123Z.1.pb.gz"));
	assert_true(is_there("large"));
	assert_int_equal(count_names(".tmp"), 0);
	/* Room again: it goes on. */
	unlink(in_folder("other.1.20251121T124501123Z.2.pb.gz"));
	store_many(100, 100);
}

static int store_as_child(void)
{
	char path[PATH_MAX];

	la_process.pid = 4713;
	la_store_after_fork();
	for (int i = 0; i < 5; i++)
		if (store(BASE_NS, "child", path))
			return 1;
	return 0;
}

/* A child's series is its own: it never gives up its parent's files. */
static void test_child(void **state)
{
	(void)state;
	set_limits(3, 0);
	store_many(0, 2);
	assert_int_equal(in_child(store_as_child), 0);
	assert_int_equal(count_names("server.x.4711."), 3);
	assert_int_equal(count_names("server.x.4713."), 3);
	assert_true(is_there("server.x.4713.20251121T124501123Z.1.pb.gz"));
	assert_true(is_there("server.x.4713.20251121T124501123Z.5.pb.gz"));
}

static int run(const char *name)
{
	const struct CMUnitTest tests[] = {
		CASE(test_name_and_contents),
		CASE(test_sequence),
		CASE(test_not_there_before_it_is_whole),
		CASE(test_abandoned),
		CASE(test_longest_command),
		CASE(test_names_that_are_taken),
		CASE(test_temporary_name_that_is_taken),
		CASE(test_name_taken_meanwhile),
		CASE(test_folder_that_has_gone),
		CASE(test_folder_that_is_replaced),
		CASE(test_keep),
		CASE(test_nothing_is_given_up_in_vain),
		CASE(test_keep_all),
		CASE(test_folder_limit),
		CASE(test_child),
	};

	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
	return on_each_file_system(run);
}
