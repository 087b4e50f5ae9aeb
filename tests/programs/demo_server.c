/*
 * The demo: a small HTTP server with a leak that everybody has written once.
 *
 *   /leaky-endpoint  puts 1,000,000 bytes into a global cache that nobody
 *                    empties
 *   /clear           empties it
 *   /quit            ends the server, as SIGTERM does
 *   /                says hello
 *
 * usage: demo_server PORT (0: any free one). Prints "listening on PORT" when
 * it is. One thread per connection, HTTP/1.1 without keep-alive.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAYLOAD_BYTES 1000000
#define REQUEST_BYTES 4096
#define BACKLOG 128

/* What every request leaves behind. The slots are a block of their own. */
static struct user_cache {
	pthread_mutex_t lock;
	char **entries;
	size_t used;
	size_t room;
} user_cache = { .lock = PTHREAD_MUTEX_INITIALIZER };

static int quit_pipe[2];

static void *must(void *block)
{
	if (!block) {
		fputs("demo_server: out of memory\n", stderr);
		_exit(1);
	}
	return block;
}

__attribute__((noinline)) static void cache_put(char *payload)
{
	pthread_mutex_lock(&user_cache.lock);
	if (user_cache.used == user_cache.room) {
		user_cache.room = user_cache.room ? 2 * user_cache.room : 64;
		user_cache.entries = must(
			realloc(user_cache.entries,
				user_cache.room * sizeof(*user_cache.entries)));
	}
	user_cache.entries[user_cache.used++] = payload;
	pthread_mutex_unlock(&user_cache.lock);
}

__attribute__((noinline)) static void cache_clear(void)
{
	pthread_mutex_lock(&user_cache.lock);
	for (size_t i = 0; i < user_cache.used; i++)
		free(user_cache.entries[i]);
	free(user_cache.entries);
	user_cache.entries = NULL;
	user_cache.used = user_cache.room = 0;
	pthread_mutex_unlock(&user_cache.lock);
}

__attribute__((noinline)) static const char *handle_leaky_endpoint(void)
{
	char *payload = must(malloc(PAYLOAD_BYTES));

	memset(payload, 'x', PAYLOAD_BYTES);
	cache_put(payload);
	return "cached 1000000 bytes\n";
}

__attribute__((noinline)) static const char *handle_clear(void)
{
	cache_clear();
	return "cleared\n";
}

static void quit(void)
{
	if (write(quit_pipe[1], "q", 1) != 1)
		_exit(1);
}

static void on_sigterm(int number)
{
	(void)number;
	quit();
}

/* The path of the request line; "" when there is none. */
static void read_request(int connection, char *path, size_t size)
{
	char request[REQUEST_BYTES];
	size_t used = 0;
	char *space, *end;

	path[0] = '\0';
	do {
		ssize_t got = read(connection, request + used,
				   sizeof(request) - 1 - used);

		if (got <= 0)
			return;
		used += (size_t)got;
		request[used] = '\0';
	} while (!strstr(request, "\r\n\r\n") && used < sizeof(request) - 1);

	space = strchr(request, ' ');
	end = space ? strpbrk(space + 1, " ?\r") : NULL;
	if (end)
		snprintf(path, size, "%.*s", (int)(end - space - 1), space + 1);
}

static void respond(int connection, const char *status, const char *body)
{
	char response[512];
	int length = snprintf(response, sizeof(response),
			      "HTTP/1.1 %s\r\nContent-Type: text/plain\r\n"
			      "Content-Length: %zu\r\nConnection: close\r\n"
			      "\r\n%s",
			      status, strlen(body), body);

	for (int sent = 0; sent < length;) {
		ssize_t put = send(connection, response + sent,
				   (size_t)(length - sent), MSG_NOSIGNAL);

		if (put <= 0)
			return;
		sent += (int)put;
	}
}

static void *serve_connection(void *argument)
{
	int connection = (int)(long)argument;
	char path[256];
	const char *status = "200 OK";
	const char *body = "hello\n";
	bool quitting = false;

	read_request(connection, path, sizeof(path));
	if (!strcmp(path, "/leaky-endpoint")) {
		body = handle_leaky_endpoint();
	} else if (!strcmp(path, "/clear")) {
		body = handle_clear();
	} else if (!strcmp(path, "/quit")) {
		body = "bye\n";
		quitting = true;
	} else if (strcmp(path, "/") != 0) {
		status = "404 Not Found";
		body = "no such page\n";
	}
	respond(connection, status, body);
	/* Let the client have all of it before the connection goes. */
	shutdown(connection, SHUT_WR);
	while (read(connection, path, sizeof(path)) > 0)
		;
	close(connection);
	if (quitting)
		quit();
	return NULL;
}

static void *accept_connections(void *argument)
{
	int listener = (int)(long)argument;
	pthread_attr_t detached;

	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	for (;;) {
		int connection = accept(listener, NULL, NULL);
		pthread_t thread;

		if (connection < 0)
			continue;
		if (pthread_create(&thread, &detached, serve_connection,
				   (void *)(long)connection))
			close(connection);
	}
	return NULL;
}

static int listen_on(const char *port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int yes = 1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(listener, (struct sockaddr *)&address, length) ||
	    listen(listener, BACKLOG) ||
	    getsockname(listener, (struct sockaddr *)&address, &length)) {
		perror("demo_server: listen");
		exit(1);
	}
	printf("listening on %d\n", ntohs(address.sin_port));
	fflush(stdout);
	return listener;
}

int main(int argc, char **argv)
{
	struct sigaction on_term = { .sa_handler = on_sigterm };
	pthread_t acceptor;
	char byte;
	int listener;

	if (argc != 2) {
		fputs("usage: demo_server PORT\n", stderr);
		return 2;
	}
	if (pipe(quit_pipe)) {
		perror("demo_server: pipe");
		return 1;
	}
	sigaction(SIGTERM, &on_term, NULL);
	listener = listen_on(argv[1]);
	if (pthread_create(&acceptor, NULL, accept_connections,
			   (void *)(long)listener))
		return 1;
	while (read(quit_pipe[0], &byte, 1) != 1)
		;
	puts("bye");
	return 0;
}
