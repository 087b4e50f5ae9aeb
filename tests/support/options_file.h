/*
 * Options read from a file and an environment: what they are then, and what
 * stderr was told. make_file and remove_file are the set-up and tear-down of a
 * group of tests.
 */
#ifndef TESTS_OPTIONS_FILE_H
#define TESTS_OPTIONS_FILE_H

#include "agent/options.h"

#include "tests/support/agent_check.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define SECOND UINT64_C(1000000000)

static char file[] = "/tmp/agent_options_test.XXXXXX";
static char conf[64]; /* "LEAKAGENT_CONF=<file>" */
static char said[64 * 1024]; /* to stderr */
static struct la_options options;

static inline void write_file(const char *text, size_t size)
{
	int fd = open(file, O_WRONLY | O_TRUNC);

	assert_int_equal(write(fd, text, size), size);
	close(fd);
}

static inline void read_options(char *const *environment)
{
	int stderr_before = dup(STDERR_FILENO);
	int fd = memfd_create("stderr", 0);
	ssize_t size;

	memset(&options, 0xee, sizeof(options));
	dup2(fd, STDERR_FILENO);
	la_options_read(&options, environment);
	dup2(stderr_before, STDERR_FILENO);
	close(stderr_before);
	size = pread(fd, said, sizeof(said) - 1, 0);
	close(fd);
	assert_true(size >= 0);
	said[size] = '\0';
}

static inline void read_text_with(const char *text, const char *a,
				  const char *b)
{
	char *environment[] = { "HOME=/", conf, (char *)a, (char *)b, NULL };

	write_file(text, strlen(text));
	read_options(environment);
}

static inline void read_text(const char *text)
{
	read_text_with(text, NULL, NULL);
}

/* `said` is "leakagent: " and this, with "FILE" standing for the file. */
static inline void assert_said(const char *expected)
{
	char text[8192] = "";

	for (const char *at = expected; *at;) {
		size_t length = strcspn(at, "\n") + 1;
		char line[2048];

		snprintf(line, sizeof(line), "%.*s", (int)length, at);
		strcat(text, "leakagent: ");
		if (!strncmp(line, "FILE", 4)) {
			strcat(text, file);
			strcat(text, line + 4);
		} else {
			strcat(text, line);
		}
		at += length;
	}
	assert_string_equal(said, text);
}

static inline void assert_defaults(void)
{
	struct la_options expected;

	memset(&expected, 0, sizeof(expected));
	expected.interval = 60 * SECOND;
	expected.signal = SIGUSR2;
	expected.exit = LA_EXIT_ON;
	expected.keep = 60;
	expected.dir_limit = 1 << 30;
	expected.depth = 128;
	expected.children = true;
	expected.memory.percent = 10;
	assert_string_equal(options.dir, "");
	assert_string_equal(options.only, "");
	assert_memory_equal(&options, &expected, sizeof(expected));
}

static inline int make_file(void **state)
{
	int fd = mkstemp(file);

	(void)state;
	snprintf(conf, sizeof(conf), "LEAKAGENT_CONF=%s", file);
	return fd < 0 ? -1 : close(fd);
}

static inline int remove_file(void **state)
{
	(void)state;
	return unlink(file);
}

#endif
