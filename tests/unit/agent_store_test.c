/* build: -Wl,--wrap=openat,--wrap=renameat2,--wrap=flock,--wrap=linkat */
/*
 * The folder of snapshots: names, nothing half and nothing of others touched.
 * Everything is run three times, as file systems can do more or less.
 */
#define _GNU_SOURCE

#include "agent/process.h"
#include "agent/store.h"

#include "tests/support/agent_check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

/* 2025-11-21T12:45:01.123Z, and what comes later. */
#define BASE_NS UINT64_C(1763729101123000000)
#define SECOND UINT64_C(1000000000)
#define BASE_NAME "server.x.4711.20251121T124501123Z"

static enum {
	CAN_ALL,
	NO_NAMELESS, /* no O_TMPFILE */
	NO_EXCHANGE  /* nor renameat2's flags */
} abilities;

int __real_openat(int folder, const char *path, int flags, ...);
/* Files cannot be given a name. */
static bool broken;

int __real_linkat(int from, const char *old, int to, const char *new,
		  int flags);
int __wrap_linkat(int from, const char *old, int to, const char *new,
		  int flags);

int __wrap_linkat(int from, const char *old, int to, const char *new,
		  int flags)
{
	if (broken) {
		errno = EIO;
		return -1;
	}
	return __real_linkat(from, old, to, new, flags);
}

int __wrap_openat(int folder, const char *path, int flags, mode_t mode);
int __real_renameat2(int from, const char *old, int to, const char *new,
		     unsigned flags);
int __wrap_renameat2(int from, const char *old, int to, const char *new,
		     unsigned flags);

int __wrap_openat(int folder, const char *path, int flags, mode_t mode)
{
	if (abilities != CAN_ALL && (flags & O_TMPFILE) == O_TMPFILE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return __real_openat(folder, path, flags, mode);
}

int __wrap_renameat2(int from, const char *old, int to, const char *new,
		     unsigned flags)
{
	if (broken || (abilities == NO_EXCHANGE && flags)) {
		errno = broken ? EIO : EINVAL;
		return -1;
	}
	return __real_renameat2(from, old, to, new, flags);
}

/* Another process sweeps the folder just before a writer locks its file. */
static enum {
	NOBODY,
	SWEEPING, /* has the lock, and will remove the file */
	SWEPT     /* has removed it */
} sweeper;

int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);

int __wrap_flock(int fd, int operation)
{
	int other, result;
	char path[64], name[PATH_MAX];
	ssize_t length;

	if (sweeper == NOBODY)
		return __real_flock(fd, operation);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, name, sizeof(name) - 1);
	assert_true(length > 0);
	name[length] = '\0';
	other = open(name, O_RDONLY);
	assert_int_equal(__real_flock(other, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(unlink(name), 0);
	if (sweeper == SWEPT)
		close(other);
	result = __real_flock(fd, operation);
	if (sweeper == SWEEPING)
		close(other);
	sweeper = NOBODY;
	return result;
}

/* ---- a folder for each case ---- */

static char folder[PATH_MAX];
static struct la_options options;

static const char *in_folder(const char *name)
{
	static char path[2][PATH_MAX];
	static int turn;

	turn = !turn;
	snprintf(path[turn], PATH_MAX, "%.3000s/%s", folder, name);
	return path[turn];
}

static int enter_folder(void **state)
{
	char made[] = "/tmp/agent_store_test.XXXXXX";

	(void)state;
	if (!mkdtemp(made) || !realpath(made, folder))
		return -1;
	la_process.pid = 4711;
	strcpy(la_process.command, "server.x");
	memset(&options, 0, sizeof(options));
	snprintf(options.dir, sizeof(options.dir), "%s", folder);
	la_store_after_fork();
	la_store_choose(&options, NULL);
	return 0;
}

static int leave_folder(void **state)
{
	char command[PATH_MAX + 32];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static unsigned count_names(const char *part)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	unsigned count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.' &&
			 strstr(entry->d_name, part) != NULL;
	closedir(dir);
	return count;
}

static bool is_there(const char *name)
{
	struct stat status;

	return !lstat(in_folder(name), &status);
}

static void make_file(const char *name, const char *text)
{
	int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_EXCL, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void assert_contents(const char *path, const char *text)
{
	char found[256];
	int fd = open(path, O_RDONLY);
	ssize_t size = read(fd, found, sizeof(found) - 1);

	assert_true(fd >= 0 && size >= 0);
	close(fd);
	found[size] = '\0';
	assert_string_equal(found, text);
}

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

/* ---- one file ---- */

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

static void assert_swept_when_written(int how)
{
	struct la_store_file file;
	char path[PATH_MAX];

	assert_int_equal(la_store_open(), 0);
	sweeper = abilities == CAN_ALL ? NOBODY : how;
	assert_int_equal(la_store_begin(&file, BASE_NS), 0);
	assert_int_equal(sweeper, NOBODY);
	assert_int_equal(write(file.fd, "whole", 5), 5);
	/* It is locked: nobody takes it for a dead writer's any more. */
	la_store_after_fork();
	assert_int_equal(la_store_open(), 0);
	assert_int_equal(la_store_commit(&file, path), 0);
	assert_contents(path, "whole");
	assert_int_equal(count_names(""), 1);
}

static void test_swept_before_it_is_locked(void **state)
{
	(void)state;
	assert_swept_when_written(SWEEPING);
}

static void test_swept_while_it_is_locked(void **state)
{
	(void)state;
	assert_swept_when_written(SWEPT);
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

/* ---- temporaries of the dead ---- */

static const char *const ours[] = {
	BASE_NAME ".1.pb.gz.tmp",
	"server.1.20251121T124501123Z.1.pb.gz.tmp",
	"a.b.c.99.20240229T000000000Z.4294967295.pb.gz.tmp",
	"x y.4194304.20251121T124501123Z.10.pb.gz.tmp",
};

static const char *const not_ours[] = {
	"profile.pb.gz.tmp",
	"x.pb.gz.tmp",
	".pb.gz.tmp",
	"server.1.20251121T124501123Z.1.pb.gz",
	"server.1.20251121T124501123Z.1.pb.gz.tmp2",
	"server.1.20251121T124501123Z.1.pb.gz.TMP",
	"server.1.20251121T124501123Z.1.pb.tmp",
	"server.1.20251121T124501123Z.pb.gz.tmp",
	"server.1.20251121T124501123Z.x.pb.gz.tmp",
	"server.1.20251121T124501123Z..pb.gz.tmp",
	"server.1.20251121T12450112Z.1.pb.gz.tmp",
	"server.1.20251121T1245011234Z.1.pb.gz.tmp",
	"server.1.2025112T124501123Z.1.pb.gz.tmp",
	"server.1.20251121 124501123Z.1.pb.gz.tmp",
	"server.1.20251121T124501123.1.pb.gz.tmp",
	"server.1x.20251121T124501123Z.1.pb.gz.tmp",
	"server..20251121T124501123Z.1.pb.gz.tmp",
	"server.20251121T124501123Z.1.pb.gz.tmp",
	"1.20251121T124501123Z.1.pb.gz.tmp",
};

static void test_sweep_of_ours(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(ours); i++)
		make_file(ours[i], "half");
	assert_int_equal(la_store_open(), 0);
	assert_int_equal(count_names(""), 0);
}

static void test_sweep_of_nothing_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(not_ours); i++)
		make_file(not_ours[i], "text");
	assert_int_equal(la_store_open(), 0);
	for (size_t i = 0; i < array_length(not_ours); i++)
		if (!is_there(not_ours[i]))
			fail_msg("%s has gone", not_ours[i]);
}

static void test_sweep_of_files_alone(void **state)
{
	(void)state;
	assert_int_equal(mkdir(in_folder(ours[0]), 0700), 0);
	make_file("kept", "kept");
	assert_int_equal(symlink("kept", in_folder(ours[1])), 0);
	assert_int_equal(mkfifo(in_folder(ours[2]), 0600), 0);
	assert_int_equal(la_store_open(), 0);
	for (int i = 0; i < 3; i++)
		assert_true(is_there(ours[i]));
	assert_contents(in_folder("kept"), "kept");
}

static void test_sweep_of_the_dead_alone(void **state)
{
	int fd;

	(void)state;
	make_file(ours[0], "half");
	fd = open(in_folder(ours[0]), O_WRONLY);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(la_store_open(), 0);
	assert_true(is_there(ours[0]));
	close(fd);
	la_store_after_fork();
	assert_int_equal(la_store_open(), 0);
	assert_false(is_there(ours[0]));
}

/* What this process is writing is not swept by another that starts. */
static void test_sweep_leaves_what_is_written(void **state)
{
	struct la_store_file file;
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(la_store_begin(&file, BASE_NS), 0);
	la_store_after_fork();
	assert_int_equal(la_store_open(), 0);
	assert_int_equal(count_names(".tmp"), abilities == CAN_ALL ? 0 : 1);
	assert_int_equal(la_store_commit(&file, path), 0);
	assert_int_equal(count_names(""), 1);
}

static void test_many_names(void **state)
{
	char name[64];

	(void)state;
	/* More than one reading of the folder holds. */
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name),
			 "server.%d.20251121T124501123Z.1.pb.gz.tmp", i + 1);
		make_file(name, "");
	}
	assert_int_equal(la_store_open(), 0);
	assert_int_equal(count_names(""), 0);
}

static int run_with(int mode, const char *name)
{
#define CASE(test)                                                             \
	cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)
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
		CASE(test_swept_before_it_is_locked),
		CASE(test_swept_while_it_is_locked),
		CASE(test_folder_that_is_replaced),
		CASE(test_keep),
		CASE(test_nothing_is_given_up_in_vain),
		CASE(test_keep_all),
		CASE(test_folder_limit),
		CASE(test_child),
		CASE(test_sweep_of_ours),
		CASE(test_sweep_of_nothing_else),
		CASE(test_sweep_of_files_alone),
		CASE(test_sweep_of_the_dead_alone),
		CASE(test_sweep_leaves_what_is_written),
		CASE(test_many_names),
	};
#undef CASE

	abilities = mode;
	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
	return run_with(CAN_ALL, "store") +
	       run_with(NO_NAMELESS, "store without nameless files") +
	       run_with(NO_EXCHANGE, "store without renameat2");
}
