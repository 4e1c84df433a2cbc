#include "sim/server.h"

#include "sim/connection.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 128
#define ACCEPTS_PER_TURN 64

static void on_listener(uv_poll_t *poll, int status, int events)
{
	struct server *server = poll->data;
	(void)status;
	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		if (server->stats.connections_open >= SERVER_CONNECTIONS_MAX) {
			close(fd);
			continue;
		}
		int one = 1;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		connection_accept(server, fd);
	}
}

void server_address_text(const struct server *server, char *text, size_t size)
{
	char host[NI_MAXHOST] = "?";
	char port[NI_MAXSERV] = "?";
	getnameinfo((const struct sockaddr *)&server->address, server->address_size, host,
		sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	bool is_v6 = server->address.ss_family == AF_INET6;
	snprintf(text, size, is_v6 ? "[%s]:%s" : "%s:%s", host, port);
}

static int start_listening(struct server *server, struct err *err)
{
	char text[NI_MAXHOST + NI_MAXSERV];
	int one = 1;
	struct sockaddr *address = (struct sockaddr *)&server->address;
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(err, -errno, "cannot create a socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, address, server->address_size) || listen(fd, BACKLOG)) {
		int code = -errno;
		server_address_text(server, text, sizeof(text));
		close(fd);
		return err_set(err, code, "cannot listen on %s: %s", text, strerror(-code));
	}
	/* Keeps a port that the kernel chose, to listen on the same one again. */
	server->address_size = sizeof(server->address);
	getsockname(fd, address, &server->address_size);

	mem_auto uv_poll_t *listener = mem_alloc(sizeof(*listener));
	int r = uv_poll_init(server->loop, listener, fd);
	if (r < 0) {
		close(fd);
		return err_set(err, r, "cannot watch the socket: %s", uv_strerror(r));
	}
	listener->data = server;
	uv_poll_start(listener, UV_READABLE, on_listener);
	server->listener = mem_steal(listener);
	server->fd = fd;
	return 0;
}

static void on_listener_closed(uv_handle_t *handle)
{
	free(handle);
}

static void stop_listening(struct server *server)
{
	if (server->fd < 0)
		return;
	uv_close((uv_handle_t *)server->listener, on_listener_closed);
	server->listener = NULL;
	close(server->fd);
	server->fd = -1;
}

int server_set_refusing(struct server *server, bool is_refusing, struct err *err)
{
	if (is_refusing) {
		stop_listening(server);
		return 0;
	}
	return server->fd >= 0 ? 0 : start_listening(server, err);
}

void server_reset(struct server *server)
{
	struct connection *connection;
	while ((connection = LIST_FIRST(&server->connections)))
		connection_close(connection, true);
}

void server_goaway(struct server *server)
{
	connection_each(&server->connections, connection_goaway);
}

void server_flood(struct server *server)
{
	connection_each(&server->connections, connection_flood);
}

void server_announce_settings(struct server *server)
{
	connection_each(&server->connections, connection_announce_settings);
}

static void on_delay(uv_timer_t *timer)
{
	/* The timer only wakes the loop: the end of the turn answers. */
	(void)timer;
}

/* Answers waiting pushes that are due; the list is in the order of time. */
static void answer_waiting(struct server *server)
{
	const struct behaviour *behaviour = &server->behaviour;
	int64_t now_ms = (int64_t)uv_now(server->loop);
	struct stream *stream = TAILQ_FIRST(&server->waiting);
	while (stream && !behaviour_holds(behaviour)) {
		int64_t wait_ms = stream->arrived_ms + behaviour->delay_ms - now_ms;
		if (wait_ms > 0) {
			uv_timer_start(&server->delay, on_delay, (uint64_t)wait_ms, 0);
			return;
		}
		struct stream *next = TAILQ_NEXT(stream, of_waiting);
		/* Those beyond a GOAWAY end when it has been sent. */
		if (!connection_is_beyond_goaway(stream->connection, stream)) {
			TAILQ_REMOVE(&server->waiting, stream, of_waiting);
			server->stats.waiting--;
			connection_answer(stream->connection, stream);
		}
		stream = next;
	}
	uv_timer_stop(&server->delay);
}

static void on_again(uv_idle_t *idle)
{
	struct server *server = idle->data;
	/* Those that stop at their bound again come back at the end of the list. */
	struct connection *last = TAILQ_LAST(&server->unread, connection_queue);
	struct connection *connection;
	while ((connection = TAILQ_FIRST(&server->unread))) {
		connection_read_on(connection);
		if (connection == last)
			break;
	}
}

static void on_end_of_turn(uv_prepare_t *prepare)
{
	struct server *server = prepare->data;
	if (!TAILQ_EMPTY(&server->waiting))
		answer_waiting(server);
	struct connection *connection;
	while ((connection = TAILQ_FIRST(&server->marked)))
		connection_flush(connection);
	record_flush(server->record);

	/* An idle handle is what keeps the loop from waiting. */
	if (TAILQ_EMPTY(&server->unread))
		uv_idle_stop(&server->again);
	else
		uv_idle_start(&server->again, on_again);
}

void server_wake(struct server *server)
{
	connection_each(&server->connections, connection_mark);
}

int server_start(struct server *server, uv_loop_t *loop, SSL_CTX *tls,
	const struct server_settings *settings, const struct sockaddr *address,
	socklen_t address_size, struct err *err)
{
	assert(address_size <= sizeof(server->address));
	*server = (struct server){
		.loop = loop,
		.tls = tls,
		.dir = settings->dir,
		.has_client_auth = settings->has_client_auth,
		.record_mode = settings->record_mode,
		.record = record_new(settings->record_mode, settings->record_fd),
		.address_size = address_size,
		.fd = -1,
	};
	memcpy(&server->address, address, address_size);
	behaviour_init(&server->behaviour);
	stream_pool_init(&server->pool);
	TAILQ_INIT(&server->waiting);
	LIST_INIT(&server->connections);
	TAILQ_INIT(&server->marked);
	TAILQ_INIT(&server->unread);

	uv_prepare_init(loop, &server->end_of_turn);
	uv_idle_init(loop, &server->again);
	uv_timer_init(loop, &server->delay);
	server->end_of_turn.data = server;
	server->again.data = server;
	server->delay.data = server;
	uv_prepare_start(&server->end_of_turn, on_end_of_turn);
	return start_listening(server, err);
}

void server_stop(struct server *server)
{
	stop_listening(server);
	struct connection *connection;
	while ((connection = LIST_FIRST(&server->connections)))
		connection_close(connection, false);
	record_counts(server->record, &server->stats);
	record_flush(server->record);
	uv_close((uv_handle_t *)&server->end_of_turn, NULL);
	uv_close((uv_handle_t *)&server->again, NULL);
	uv_close((uv_handle_t *)&server->delay, NULL);
}

void server_fini(struct server *server)
{
	assert(LIST_EMPTY(&server->connections));
	record_free(server->record);
	stream_pool_fini(&server->pool);
	behaviour_fini(&server->behaviour);
	SSL_CTX_free(server->tls);
}
