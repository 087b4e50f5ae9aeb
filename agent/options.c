/* See options.h. */

#define _GNU_SOURCE /* secure_getenv */

#include "agent/options.h"

#include "agent/notice.h"
#include "agent/sampler.h"

#include <ctype.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <ini.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SYSTEM_FILE "/etc/leakagent.ini"
#define ENVIRONMENT_PREFIX "LEAKAGENT_"
#define CONF_VARIABLE ENVIRONMENT_PREFIX "CONF"

enum { FILE_BUFFER = 4096, LINE_BYTES = 256 };

static bool parse_text(const char *text, char *value, size_t size)
{
	size_t length = strlen(text);

	if (length >= size)
		return false;
	memcpy(value, text, length + 1);
	return true;
}

static bool parse_dir(const char *text, void *value)
{
	return parse_text(text, value, sizeof(((struct la_options *)0)->dir));
}

static bool parse_only(const char *text, void *value)
{
	return parse_text(text, value, sizeof(((struct la_options *)0)->only));
}

static bool parse_sample(const char *text, void *value)
{
	uint64_t bytes;

	if (!la_parse_size(text, &bytes) || bytes > LA_SAMPLER_MOST)
		return false;
	*(uint64_t *)value = bytes;
	return true;
}

#define SIZE "a size such as 512k, 64M or 1G"
#define TIME "a time such as 500ms, 10s, 5m or 1h"

static const struct option {
	const char *key;
	size_t offset;
	bool (*parse)(const char *text, void *value);
	const char *expected;
} options_known[] = {
#define OPTION(key, parse, expected)                                           \
	{ #key, offsetof(struct la_options, key), parse, expected }
	OPTION(dir, parse_dir, "a folder's path"),
	OPTION(interval, la_parse_time, TIME ", or 0 for never"),
	OPTION(start, la_parse_time, TIME),
	OPTION(signal, la_parse_signal,
	       "a signal such as USR2, SIGUSR2, RTMIN+3 or 12, or off"),
	OPTION(growth, la_parse_size, SIZE ", or 0 for never"),
	OPTION(exit, la_parse_exit, "on, always or off"),
	OPTION(keep, la_parse_keep,
	       "a number of files, at least 2, or 0 for all"),
	OPTION(dir_limit, la_parse_size, SIZE ", or 0 for no limit"),
	OPTION(depth, la_parse_depth, "a number of frames from 1 to 256"),
	OPTION(only, parse_only, "names of programs, separated by commas"),
	OPTION(sample, parse_sample, SIZE ", at most 1024G, or 0 for everything"),
	OPTION(seed, la_parse_count, "a number"),
	OPTION(memory, la_parse_memory,
	       "a size such as 64M, at least 4M, a percentage such as 10%, or "
	       "0 for no limit"),
	OPTION(children, la_parse_switch, "on or off"),
	OPTION(verify, la_parse_switch, "on or off"),
#undef OPTION
};

enum { OPTIONS = sizeof(options_known) / sizeof(options_known[0]) };

static const struct option *find_option(const char *key, size_t length)
{
	for (int i = 0; i < OPTIONS; i++)
		if (strlen(options_known[i].key) == length &&
		    !strncmp(options_known[i].key, key, length))
			return &options_known[i];
	return NULL;
}

/* A file that is read by pieces, so that no stream or big buffer is needed. */
struct reader {
	struct la_options *options;
	const char *path;
	int fd;
	int line;
	bool failed; /* reading did */
	size_t at, filled;
	char buffer[FILE_BUFFER];
};

static int next_char(struct reader *reader)
{
	if (reader->at == reader->filled) {
		ssize_t got = read(reader->fd, reader->buffer,
				   sizeof(reader->buffer));

		reader->at = 0;
		reader->filled = got > 0 ? (size_t)got : 0;
		reader->failed = got < 0;
		if (got <= 0)
			return -1;
	}
	return (unsigned char)reader->buffer[reader->at++];
}

/*
 * Reads a line without its leading blanks, which to inih would mean that it
 * goes on with the line before. Returns its length, which is more than fits
 * into `line` where it was cut; -1 at the end.
 */
static int read_line(struct reader *reader, char *line, int room)
{
	int length = 0, c = next_char(reader);

	if (c < 0)
		return -1;
	reader->line++;
	/* Editors may begin a file with U+FEFF. */
	while (c == ' ' || c == '\t' ||
	       (reader->line == 1 && (c == 0xef || c == 0xbb || c == 0xbf)))
		c = next_char(reader);
	for (; c >= 0 && c != '\n'; c = next_char(reader)) {
		if (length < room - 1)
			line[length] = (char)c;
		length++;
	}
	line[length < room ? length : room - 1] = '\0';
	return length;
}

/* Neither empty nor a comment. */
static bool says_something(const char *line)
{
	return *line && !strchr(";#\r", *line);
}

static bool is_understood(const char *line)
{
	return *line == '[' ? strchr(line, ']') != NULL :
			      strpbrk(line, "=:") != NULL;
}

/* inih's line reader, as fgets. Lines that it would not take come out empty. */
static char *next_line(char *line, int room, void *stream)
{
	struct reader *reader = stream;
	int length = read_line(reader, line, room);

	if (length < 0)
		return NULL;
	if (length >= room) {
		if (says_something(line))
			la_notice("%s:%d: longer than %d characters: ignored; "
				  "the environment variable has no such limit",
				  reader->path, reader->line, room - 1);
		*line = '\0';
	} else if (says_something(line) && !is_understood(line)) {
		la_notice("%s:%d: not understood: expected 'key = value'; the "
			  "line is ignored",
			  reader->path, reader->line);
		*line = '\0';
	}
	return line;
}

static int take_entry(void *user, const char *section, const char *key,
		      const char *value)
{
	struct reader *reader = user;
	const struct option *option = find_option(key, strlen(key));

	(void)section;
	if (!option)
		la_notice("%s:%d: unknown key '%s': ignored; the keys are those "
			  "of the leakagent.ini that came with the agent",
			  reader->path, reader->line, key);
	else if (!option->parse(value, (char *)reader->options + option->offset))
		la_notice("%s:%d: %s = '%s' is not understood: expected %s; "
			  "ignored",
			  reader->path, reader->line, key, value,
			  option->expected);
	return 1;
}

static void read_file(struct la_options *options, const char *path,
		      bool asked_for)
{
	struct reader reader = { .options = options, .path = path };

	reader.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (reader.fd >= 0) {
		ini_parse_stream(next_line, &reader, take_entry, &reader);
		close(reader.fd);
	}
	if (reader.failed || (reader.fd < 0 && asked_for))
		la_notice("%s: cannot be read: the defaults are used", path);
}

/* "LEAKAGENT_DIR=x" -> the option dir and "x". */
static void take_variable(struct la_options *options, const char *variable)
{
	const char *name = variable + sizeof(ENVIRONMENT_PREFIX) - 1;
	const char *equals = strchr(name, '=');
	const struct option *option;
	char key[LINE_BYTES];
	size_t length = equals ? (size_t)(equals - name) : 0;

	if (!equals || length >= sizeof(key) ||
	    !strncmp(variable, CONF_VARIABLE "=", sizeof(CONF_VARIABLE)))
		return;
	for (size_t i = 0; i < length; i++)
		key[i] = (char)tolower((unsigned char)name[i]);
	option = find_option(key, length);
	if (!option)
		la_notice("environment: unknown variable '%.*s': ignored; the "
			  "keys are those of the leakagent.ini that came with "
			  "the agent",
			  (int)(equals - variable), variable);
	else if (!option->parse(equals + 1, (char *)options + option->offset))
		la_notice("environment: %s is not understood: expected %s; "
			  "ignored",
			  variable, option->expected);
}

static const char *variable_value(char *const *environment, const char *name)
{
	size_t length = strlen(name);

	for (; environment && *environment; environment++)
		if (!strncmp(*environment, name, length) &&
		    (*environment)[length] == '=')
			return *environment + length + 1;
	return NULL;
}

void la_options_read(struct la_options *options, char *const *environment)
{
	const char *conf = variable_value(environment, CONF_VARIABLE);

	memset(options, 0, sizeof(*options));
	la_parse_time("60s", &options->interval);
	la_parse_signal("USR2", &options->signal);
	options->exit = LA_EXIT_ON;
	options->keep = 60;
	la_parse_size("1G", &options->dir_limit);
	options->depth = 128;
	options->children = true;
	la_parse_memory("10%", &options->memory);

	if (conf && *conf)
		read_file(options, conf, true);
	else
		read_file(options, SYSTEM_FILE, false);
	for (; environment && *environment; environment++)
		if (!strncmp(*environment, ENVIRONMENT_PREFIX,
			     sizeof(ENVIRONMENT_PREFIX) - 1))
			take_variable(options, *environment);
}

bool la_options_admit(const struct la_options *options, const char *command)
{
	const char *name = options->only;
	char pattern[LINE_BYTES];

	if (!*name)
		return true;
	while (*name) {
		size_t length = strcspn(name, ", ");

		if (length && length < sizeof(pattern)) {
			memcpy(pattern, name, length);
			pattern[length] = '\0';
			if (!fnmatch(pattern, command, 0))
				return true;
		}
		name += length;
		name += strspn(name, ", ");
	}
	return false;
}
