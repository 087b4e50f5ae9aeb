/* build: -rdynamic -ldl */
/*
 * What libc allocates, loads and frees on its own account: names and users are
 * looked up, text is converted, locales come and go, stacks are walked, the
 * loader is asked for what it does not have and says so when it is asked why,
 * after other calls. In main, in threads, and in a child. Prints what it finds;
 * must print the same without the agent.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <execinfo.h>
#include <iconv.h>
#include <locale.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#define NOINLINE __attribute__((noinline))

enum { THREADS = 4, TIMES = 5, FRAMES = 16 };

static FILE *out; /* a thread's own lines come in one piece */

static void look_up_names(void)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	char buffer[4096], host[64] = "?";
	struct passwd user, *result;
	struct servent service, *web;
	int error = getaddrinfo("localhost", "80", &hints, &found);

	if (!error) {
		getnameinfo(found->ai_addr, found->ai_addrlen, host,
			    sizeof(host), NULL, 0, NI_NUMERICHOST);
		freeaddrinfo(found);
	}
	fprintf(out, "localhost: %s\n", error ? gai_strerror(error) : host);
	error = getaddrinfo("localhost", "no-such-service", &hints, &found);
	fprintf(out, "no such service: %d\n", error != 0);
	getpwuid_r(0, &user, buffer, sizeof(buffer), &result);
	fprintf(out, "user 0: %s\n", result ? result->pw_name : "none");
	getpwnam_r("no-such-user", &user, buffer, sizeof(buffer), &result);
	fprintf(out, "no such user: %d\n", result == NULL);
	getservbyname_r("http", "tcp", &service, buffer, sizeof(buffer), &web);
	fprintf(out, "http: %s\n", web ? web->s_name : "none");
}

static void convert(void)
{
	/* Modules that iconv loads. */
	static const char *const codes[] = { "UTF-16LE", "EUC-JP", "CP1250",
					     "ISO-2022-JP", "KOI8-R" };
	char text[] = "a text", to[64];

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		iconv_t converter = iconv_open(codes[i], "UTF-8");
		char *from = text, *at = to;
		size_t left = strlen(text), room = sizeof(to);

		if (converter == (iconv_t)-1) {
			fprintf(out, "no %s\n", codes[i]);
			continue;
		}
		iconv(converter, &from, &left, &at, &room);
		iconv_close(converter);
		fprintf(out, "%s: %zu bytes\n", codes[i], (size_t)(at - to));
	}
	fprintf(out, "no such code: %d\n",
		iconv_open("no-such-code", "UTF-8") == (iconv_t)-1);
}

static void change_locale(void)
{
	locale_t locale = newlocale(LC_ALL_MASK, "C.UTF-8", NULL);
	wchar_t wide[32] = L"";
	regex_t expression;
	char text[64];
	struct tm time = { .tm_mday = 1, .tm_year = 100 };

	if (locale) {
		locale_t before = uselocale(locale);

		mbstowcs(wide, "\xc3\xa4\xc3\xb6", 32);
		strftime(text, sizeof(text), "%A %d %B %Y", &time);
		uselocale(before);
		freelocale(locale);
		fprintf(out, "%zu letters, %s\n", wcslen(wide), text);
	}
	if (!regcomp(&expression, "([a-z]+[0-9]*)+x", REG_EXTENDED)) {
		fprintf(out, "matches: %d\n",
			regexec(&expression, "abc12dex", 0, NULL, 0) == 0);
		regfree(&expression);
	}
}

NOINLINE static void allocate(void)
{
	char *volatile block = malloc(100);

	block = realloc(block, 10000);
	free(block);
	block = calloc(10, 10);
	free(block);
	block = reallocarray(NULL, 10, 10);
	free(block);
}

/* What went wrong is told once, however much was allocated in between. */
static void ask_why(void)
{
	static const char *const names[] = { "no_such_symbol", "another_one" };
	const char *why;

	for (size_t i = 0; i < 2; i++) {
		if (dlsym(RTLD_DEFAULT, names[i]))
			fputs("there is such a symbol\n", out);
		allocate();
		why = dlerror();
		fprintf(out, "names %s: %d\n", names[i],
			why && strstr(why, names[i]) != NULL);
		fprintf(out, "once: %d\n", dlerror() == NULL);
	}
	if (dlopen("/no/such/library.so", RTLD_NOW))
		fputs("there is such a library\n", out);
	allocate();
	why = dlerror();
	fprintf(out, "%s\n", why ? why : "no reason");
}

int of_libc_walk(int depth);

NOINLINE int of_libc_walk(int depth)
{
	void *frames[FRAMES];
	char **symbols;
	int count;

	if (depth) {
		count = of_libc_walk(depth - 1);
		__asm__ volatile("" : : : "memory");
		return count;
	}
	count = backtrace(frames, FRAMES);
	symbols = backtrace_symbols(frames, count);
	if (!symbols || !strstr(symbols[0], "of_libc_walk"))
		fprintf(out, "%s\n", symbols ? symbols[0] : "no symbols");
	free(symbols);
	return count;
}

static void *do_all(void *unused)
{
	for (int i = 0; i < TIMES; i++) {
		look_up_names();
		convert();
		change_locale();
		ask_why();
		fprintf(out, "frames: %d\n", of_libc_walk(FRAMES));
	}
	return unused;
}

/* In a thread, whose lines come after those of the others. */
static void run_threads(void)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, do_all, NULL))
			exit(1);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void run_child(void)
{
	pid_t child;
	int status = 0;

	/* It is asked about in the child. */
	if (dlsym(RTLD_DEFAULT, "symbol_before_fork"))
		puts("there is such a symbol");
	fflush(stdout);
	child = fork();
	if (!child) {
		const char *why = dlerror();

		printf("in the child: %s\n", why ? why : "no reason");
		do_all(NULL);
		exit(0);
	}
	waitpid(child, &status, 0);
	printf("in the parent: %s\n", dlerror() ? "a reason" : "no reason");
	printf("the child ended with %d\n", status);
}

int main(void)
{
	char *text = NULL;
	size_t size = 0;

	out = stdout;
	do_all(NULL);
	run_child();
	/* Lines of several threads come in any order: only how many there are. */
	out = open_memstream(&text, &size);
	run_threads();
	fclose(out);
	printf("%zu bytes\n", size);
	free(text);
	return 0;
}
