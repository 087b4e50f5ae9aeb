/*
 * What leakagent takes from processes and programs that nobody vouches for:
 * each input is a control page, which is shown, and a program, of which it is
 * asked what it is.
 */
#define _GNU_SOURCE /* memfd_create */
#include "scripts/control/elf_file.h"
#include "scripts/control/process.h"
#include "scripts/control/show.h"
#include "tests/fuzz/inputs.h"
#include "tests/fuzz/plain.h"

#include <string.h>

static void show(const struct la_control_page *page)
{
	FILE *terminal = stdout;
	struct process process;
	char *text = NULL;
	size_t size = 0;

	if (process_open(getpid(), &process))
		abort();
	stdout = open_memstream(&text, &size);
	show_heading();
	show_row(&process, page);
	show_status(&process, page);
	fclose(stdout);
	stdout = terminal;
	process_close(&process);
	check_plain(text, size);
	free(text);
}

static void look_into(const char *path)
{
	struct elf_file file;
	char head[256];

	memset(head, 'x', sizeof(head));
	if (elf_file_read(path, &file, head, sizeof(head)) == 0 &&
	    (strlen(file.loader) >= sizeof(file.loader) ||
	     !*elf_machine_name(&file)))
		abort();
	if (strlen(head) >= sizeof(head))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	struct la_control_page page = {0};
	char path[INPUT_PATH_SIZE];
	int fd = input_file(input, path);

	memcpy(&page, data, size < sizeof(page) ? size : sizeof(page));
	show(&page);
	look_into(path);
	close(fd);
	return 0;
}
