#include "relay.h"

#include "base/mem.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

struct relay {
	char *path;
	char *server;
	int listener;
	atomic_bool loses_commit;
	atomic_bool reads_no_more;
	pthread_t thread;
};

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	assert_true(strlen(path) < sizeof(address.sun_path));
	strcpy(address.sun_path, path);
	return address;
}

static bool forward(const char *bytes, ssize_t size, int to)
{
	return size > 0 && send(to, bytes, (size_t)size, MSG_NOSIGNAL) == size;
}

/* The server answers all that it was sent, and closes. */
static void lose_answers(int server)
{
	char bytes[4096];
	shutdown(server, SHUT_WR);
	while (recv(server, bytes, sizeof(bytes), 0) > 0)
		continue;
}

/* Until one of them closes, or an answer is lost. */
static void carry(struct relay *relay, int client, int server)
{
	static char bytes[65536];
	struct pollfd both[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
	while (poll(both, 2, -1) > 0) {
		if (atomic_exchange(&relay->reads_no_more, false)) {
			struct pollfd end = {client, 0, 0};
			poll(&end, 1, -1);
			return;
		}
		if (both[0].revents) {
			ssize_t size = recv(client, bytes, sizeof(bytes), 0);
			bool loses = size > 0 && memmem(bytes, (size_t)size, "COMMIT", 6) &&
				atomic_exchange(&relay->loses_commit, false);
			if (!forward(bytes, size, server))
				return;
			if (loses) {
				lose_answers(server);
				return;
			}
		}
		if (both[1].revents) {
			ssize_t size = recv(server, bytes, sizeof(bytes), 0);
			if (!forward(bytes, size, client))
				return;
		}
	}
}

static void *run(void *of)
{
	struct relay *relay = of;
	int client;
	while ((client = accept(relay->listener, NULL, NULL)) >= 0) {
		struct sockaddr_un address = address_of(relay->server);
		int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (!connect(server, (struct sockaddr *)&address, sizeof(address)))
			carry(relay, client, server);
		close(server);
		close(client);
	}
	return NULL;
}

struct relay *relay_new(const char *path, const char *server)
{
	struct relay *relay = mem_alloc_zero(1, sizeof(*relay));
	struct sockaddr_un address = address_of(path);
	relay->path = mem_dup(path);
	relay->server = mem_dup(server);
	relay->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unlink(path);
	assert_int_equal(bind(relay->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(relay->listener, 5), 0);
	assert_int_equal(pthread_create(&relay->thread, NULL, run, relay), 0);
	return relay;
}

void relay_free(struct relay *relay)
{
	shutdown(relay->listener, SHUT_RDWR);
	pthread_join(relay->thread, NULL);
	close(relay->listener);
	unlink(relay->path);
	free(relay->path);
	free(relay->server);
	free(relay);
}

void relay_read_no_more(struct relay *relay)
{
	atomic_store(&relay->reads_no_more, true);
}

void relay_lose_next_commit(struct relay *relay)
{
	atomic_store(&relay->loses_commit, true);
}
