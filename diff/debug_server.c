/*
 * The library is opened at run time, as elfutils itself does: it brings half a
 * web browser, and few need it.
 */
#include "diff/debug_server.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define LIBRARY "libdebuginfod.so.1"

struct debuginfod_client;
typedef struct debuginfod_client *begin_function(void);
typedef void end_function(struct debuginfod_client *client);
/* A length of 0 says that the build id is text in hex. */
typedef int find_function(struct debuginfod_client *client,
			  const unsigned char *build_id, int length,
			  char **path);

static const char *const find_names[] = {
	[SERVER_DEBUG_INFO] = "debuginfod_find_debuginfo",
	[SERVER_EXECUTABLE] = "debuginfod_find_executable",
};

static bool is_configured(void)
{
	const char *urls = getenv("DEBUGINFOD_URLS");

	return urls && *urls;
}

char *debug_server_fetch(const char *build_id, enum debug_server_file file)
{
	struct debuginfod_client *client;
	begin_function *begin;
	end_function *end;
	find_function *find;
	char *path = NULL;
	void *library;
	int fd;

	if (!is_configured())
		return NULL;
	/* Never closed: it may have started threads. */
	library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return NULL;
	begin = (begin_function *)dlsym(library, "debuginfod_begin");
	end = (end_function *)dlsym(library, "debuginfod_end");
	find = (find_function *)dlsym(library, find_names[file]);
	client = begin && end && find ? begin() : NULL;
	if (!client)
		return NULL;
	fd = find(client, (const unsigned char *)build_id, 0, &path);
	if (fd >= 0)
		close(fd);
	else
		path = NULL;
	end(client);
	return path;
}
