/* build: -Wl,--wrap=openat,--wrap=renameat2,--wrap=linkat,--wrap=flock */
/*
 * Temporaries in the folder of snapshots: those of dead writers are swept away,
 * those of living ones and whatever else has a name like theirs are not.
 */
#define _GNU_SOURCE

#include "tests/support/store_folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

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

/* ---- a sweep while one is made ---- */

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

static int run(const char *name)
{
	const struct CMUnitTest tests[] = {
		CASE(test_swept_before_it_is_locked),
		CASE(test_swept_while_it_is_locked),
		CASE(test_sweep_of_ours),
		CASE(test_sweep_of_nothing_else),
		CASE(test_sweep_of_files_alone),
		CASE(test_sweep_of_the_dead_alone),
		CASE(test_sweep_leaves_what_is_written),
		CASE(test_many_names),
	};

	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
	return on_each_file_system(run);
}
