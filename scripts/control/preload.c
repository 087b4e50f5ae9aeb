/*
 * `leakagent run`: finds the program, asks elf_file.c what it is, refuses what
 * the loader would start without the agent, and becomes the rest.
 */
#define _GNU_SOURCE /* asprintf */
#include "scripts/control/preload.h"

#include "scripts/control/elf_file.h"
#include "scripts/control/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CANNOT_RUN 126
#define NOT_FOUND 127
/* As many `#!` lines as the kernel follows. */
#define SCRIPT_DEPTH 5

static bool is_program(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
	       access(path, X_OK) == 0;
}

/* The first executable of that name in PATH, into path. */
static bool search_path(const char *name, char path[PATH_MAX])
{
	const char *folder = getenv("PATH");
	size_t length;

	if (!folder)
		folder = "/bin:/usr/bin";
	for (;; folder += length + 1) {
		length = strcspn(folder, ":");
		if (length)
			snprintf(path, PATH_MAX, "%.*s/%s", (int)length, folder,
				 name);
		else
			snprintf(path, PATH_MAX, "./%s", name);
		if (is_program(path))
			return true;
		if (!folder[length])
			return false;
	}
}

static int find_program(const char *name, char path[PATH_MAX])
{
	struct stat status;

	if (!strchr(name, '/')) {
		if (search_path(name, path))
			return 0;
		complain("%s: no such program in PATH", name);
		return NOT_FOUND;
	}
	snprintf(path, PATH_MAX, "%s", name);
	if (stat(path, &status)) {
		complain("%s: %s", name, strerror(errno));
		return NOT_FOUND;
	}
	if (!S_ISREG(status.st_mode)) {
		complain("%s is not a program file", name);
		return CANNOT_RUN;
	}
	if (access(path, X_OK)) {
		complain("%s is not executable: chmod +x it", name);
		return CANNOT_RUN;
	}
	return 0;
}

/* The kernel drops LD_PRELOAD where a program gains rights by being started. */
static const char *gained_right(const char *path)
{
	struct statvfs mount;
	struct stat status;

	if (stat(path, &status) ||
	    (statvfs(path, &mount) == 0 && mount.f_flag & ST_NOSUID))
		return NULL;
	if (status.st_mode & S_ISUID && status.st_uid != getuid())
		return "setuid";
	if (status.st_mode & S_ISGID && status.st_mode & S_IXGRP &&
	    status.st_gid != getgid())
		return "setgid";
	if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
		return "given file capabilities";
	return NULL;
}

static bool is_called(const char *path, const char *name)
{
	const char *base = strrchr(path, '/');

	return strncmp(base ? base + 1 : path, name, strlen(name)) == 0;
}

/* glibc's loader, started as a program: what it is given, it loads and preloads
 * for as ever. */
static bool is_loader(const char *path)
{
	char real[PATH_MAX];

	return realpath(path, real) && is_called(real, "ld-linux");
}

static int refuse_elf(const char *path, const struct elf_file *program,
		      const struct elf_file *agent)
{
	const char *right = gained_right(path);
	/* glibc's own loader, started as a program, needs no other. */
	const char *loader = !program->loader[0] && is_loader(path) ?
				     path : program->loader;

	if (program->class != agent->class ||
	    program->machine != agent->machine)
		complain("%s is a program for %s, and the agent for %s: build "
			 "the agent for that", path, elf_machine_name(program),
			 elf_machine_name(agent));
	else if (!loader[0])
		complain("%s is statically linked, so nothing can be preloaded:"
			 " link it dynamically", path);
	else if (is_called(loader, "ld-musl"))
		complain("%s uses musl, and the agent needs glibc: build it "
			 "against glibc", path);
	else if (loader != path && !is_called(loader, "ld-linux"))
		complain("%s is started by %s, and the agent needs glibc",
			 path, program->loader);
	else if (right)
		complain("%s is %s, and the kernel preloads nothing there: run "
			 "it as its owner, or a copy without that", path,
			 right);
	else
		return 0;
	return CANNOT_RUN;
}

/* The interpreter that line[] = "#!..." names, in place; NULL if none. */
static char *interpreter_of(char *line)
{
	char *name = line + 2 + strspn(line + 2, " \t");

	name[strcspn(name, " \t\r\n")] = 0;
	return name[0] ? name : NULL;
}

static int refuse(const char *path, const struct elf_file *agent, int depth)
{
	struct elf_file program;
	char line[PATH_MAX];
	char *interpreter;
	int error = elf_file_read(path, &program, line, sizeof(line));

	if (error == 0)
		return refuse_elf(path, &program, agent);
	if (error == -ENOEXEC && strncmp(line, "#!", 2) == 0 && depth) {
		interpreter = interpreter_of(line);
		if (interpreter && is_program(interpreter))
			return refuse(interpreter, agent, depth - 1);
		complain("%s is a script of %s, which is not a program", path,
			 interpreter ? interpreter : "nothing");
	} else if (error == -ENOEXEC) {
		complain("%s is neither an ELF program nor a script that names "
			 "its interpreter with #!", path);
	} else if (error == -EACCES) {
		return 0; /* executable but not readable: the loader can tell */
	} else {
		complain("cannot read %s: %s", path, strerror(-error));
	}
	return CANNOT_RUN;
}

static int read_agent(const char *library, struct elf_file *agent)
{
	char line[4];
	int error = elf_file_read(library, agent, line, sizeof(line));

	if (error == 0 && !strpbrk(library, " :$"))
		return 0;
	if (error == -ENOENT)
		complain("there is no %s: run make, or name it with --lib",
			 library);
	else if (error)
		complain("%s cannot be preloaded: %s", library,
			 strerror(-error));
	else
		complain("%s cannot be preloaded: LD_PRELOAD takes no path "
			 "with a space, colon or $: copy it elsewhere, and "
			 "name that with --lib", library);
	return CANNOT_RUN;
}

static int set_preload(const char *library)
{
	const char *others = getenv("LD_PRELOAD");
	char *value;
	int error;

	if (!others || !others[0])
		return setenv("LD_PRELOAD", library, 1);
	if (asprintf(&value, "%s:%s", library, others) < 0)
		return -1;
	error = setenv("LD_PRELOAD", value, 1);
	free(value);
	return error;
}

int preload_and_run(const char *library, char **words)
{
	char program[PATH_MAX], agent_path[PATH_MAX];
	struct elf_file agent;
	int status;

	/* What does not exist keeps its name, for the message. */
	if (!realpath(library, agent_path))
		snprintf(agent_path, sizeof(agent_path), "%s", library);
	status = read_agent(agent_path, &agent);
	if (!status)
		status = find_program(words[0], program);
	if (!status)
		status = refuse(program, &agent, SCRIPT_DEPTH);
	if (status)
		return status;
	if (set_preload(agent_path) == 0)
		execv(program, words);
	complain("cannot start %s: %s", program, strerror(errno));
	return CANNOT_RUN;
}
