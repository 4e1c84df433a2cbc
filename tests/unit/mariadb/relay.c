#include "relay.h"

#include "base/mem.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define CARRIERS_MAX 16

struct relay {
	char *path;
	char *server;
	int listener;
	atomic_bool loses_commit;
	atomic_bool reads_no_more;
	const char *_Atomic from; /* NULL: nothing is replaced */
	const char *to;
	atomic_bool has_replaced;
	pthread_t thread;
	pthread_t carriers[CARRIERS_MAX];
	size_t carrier_count;
};

/* One connection, for the thread that carries it. */
struct carrier {
	struct relay *relay;
	int client;
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

static void replace(struct relay *relay, char *bytes, ssize_t size)
{
	const char *from = atomic_load(&relay->from);
	char *at = from && size > 0 ? memmem(bytes, (size_t)size, from, strlen(from)) : NULL;
	if (!at)
		return;
	memcpy(at, relay->to, strlen(from));
	atomic_store(&relay->has_replaced, true);
}

/* Until one of them closes, or an answer is lost. */
static void carry(struct relay *relay, int client, int server)
{
	char bytes[65536];
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
			replace(relay, bytes, size);
			if (!forward(bytes, size, server))
				return;
			if (loses) {
				lose_answers(server);
				return;
			}
		}
		if (both[1].revents) {
			ssize_t size = recv(server, bytes, sizeof(bytes), 0);
			replace(relay, bytes, size);
			if (!forward(bytes, size, client))
				return;
		}
	}
}

static void *carry_one(void *of)
{
	struct carrier *carrier = of;
	struct sockaddr_un address = address_of(carrier->relay->server);
	int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (!connect(server, (struct sockaddr *)&address, sizeof(address)))
		carry(carrier->relay, carrier->client, server);
	close(server);
	close(carrier->client);
	free(carrier);
	return NULL;
}

static void *run(void *of)
{
	struct relay *relay = of;
	int client;
	while ((client = accept(relay->listener, NULL, NULL)) >= 0) {
		struct carrier *carrier = mem_alloc(sizeof(*carrier));
		*carrier = (struct carrier){relay, client};
		if (relay->carrier_count == CARRIERS_MAX)
			abort();
		pthread_create(&relay->carriers[relay->carrier_count++], NULL, carry_one, carrier);
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
	for (size_t i = 0; i < relay->carrier_count; i++)
		pthread_join(relay->carriers[i], NULL);
	close(relay->listener);
	unlink(relay->path);
	free(relay->path);
	free(relay->server);
	free(relay);
}

void relay_replace(struct relay *relay, const char *from, const char *to)
{
	assert_int_equal(strlen(from), strlen(to));
	relay->to = to;
	atomic_store(&relay->from, from);
}

bool relay_has_replaced(const struct relay *relay)
{
	return atomic_load(&relay->has_replaced);
}

void relay_read_no_more(struct relay *relay)
{
	atomic_store(&relay->reads_no_more, true);
}

void relay_lose_next_commit(struct relay *relay)
{
	atomic_store(&relay->loses_commit, true);
}
