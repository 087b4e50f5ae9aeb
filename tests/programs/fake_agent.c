/*
 * Plays the agent's part of agent/format/control_page.h, badly:
 *
 *   dies       ends when it is asked for something
 *   executes   executes another program when it is asked for something
 *   again      executes itself, which has another page, when it is
 *   refuses    answers everything with -ENOSPC
 *   unfinished has not filled its page in yet
 *   short      has a page that is too short
 *   hostile    has text without an end in its page
 *   foreign    has text in it that is for other terminals, and numbers that
 *              mean nothing
 *   shrinks    takes its page away when it is asked for something
 *
 * usage: fake_agent MANNER. Says "ready" when it is, and ends with its input.
 */
#define _GNU_SOURCE
#include "agent/format/control_page.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct la_control_page *page;
static int page_fd;
static const char *manner;

static void must(int good)
{
	if (!good)
		abort();
}

static void answer(uint32_t request)
{
	if (!strcmp(manner, "dies"))
		_exit(3);
	if (!strcmp(manner, "executes"))
		execlp("sleep", "sleep", "1000", (char *)NULL);
	if (!strcmp(manner, "again"))
		execl("/proc/self/exe", "fake_agent", "again", (char *)NULL);
	if (!strcmp(manner, "shrinks")) {
		must(!ftruncate(page_fd, 0));
		return;
	}
	page->result = !strcmp(manner, "refuses") ? -ENOSPC :
		       !strcmp(manner, "foreign") ? INT32_MIN : 0;
	__atomic_store_n(&page->answered, request, __ATOMIC_RELEASE);
	syscall(SYS_futex, &page->answered, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void *serve(void *unused)
{
	uint32_t wake = 0, request;

	(void)unused;
	for (;;) {
		syscall(SYS_futex, &page->wake, FUTEX_WAIT, wake, NULL, NULL,
			0);
		wake = __atomic_load_n(&page->wake, __ATOMIC_ACQUIRE);
		request = __atomic_load_n(&page->request, __ATOMIC_ACQUIRE);
		if (request != page->answered)
			answer(request);
	}
	return NULL;
}

static void make_page(void)
{
	page_fd = memfd_create(LA_CONTROL_NAME, MFD_CLOEXEC);
	must(page_fd >= 0);
	must(!ftruncate(page_fd, strcmp(manner, "short") ? 4096 : 16));
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, page_fd, 0);
	must(page != MAP_FAILED);
}

static void fill_page(void)
{
	if (!strcmp(manner, "hostile")) {
		memset(page, 'x', 4096);
		page->request = page->answered;
		memcpy(page->problem, "\033[2J\n", 5);
	}
	if (!strcmp(manner, "foreign")) {
		memset(page, 0xff, 4096);
		page->request = page->answered;
		strcpy(page->command, "\xe2\x80\xae\xc2\x9b" "31m\x9b");
		strcpy(page->last_snapshot, "/\xe2\x81\xa6\xd8\x9c\r");
	}
	if (strcmp(manner, "unfinished"))
		page->magic = LA_CONTROL_MAGIC;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	char byte;

	must(argc == 2);
	manner = argv[1];
	make_page();
	if (strcmp(manner, "short"))
		fill_page();
	must(!pthread_create(&thread, NULL, serve, NULL));
	puts("ready");
	fflush(stdout);
	while (read(0, &byte, 1) == 1)
		;
	return 0;
}
