#include "xaps/xaps_socket.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "intake/listener.h"
#include "xaps/xaps_line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_A_TURN 64
#define TICK_MS 250
#define READ_SIZE 4096
#define ANSWER_TEXT_MAX 200 /* of an error */

struct client {
	TAILQ_ENTRY(client) place;
	struct xaps_socket *socket;
	uv_pipe_t pipe;
	uv_write_t write;
	int64_t deadline_ms; /* INT64_MAX: it waits for us */
	struct buf line;
	size_t looked_at; /* bytes of the line without an end */
	struct xaps_call *call;
	char *answer;
};

struct xaps_socket {
	struct xaps_socket_needs needs;
	struct peer_file file;
	uv_poll_t *listener;	      /* NULL: stopped */
	int fd;			      /* of the listener */
	bool is_deaf;		      /* accepting failed: it is retried later */
	uv_timer_t tick;	      /* deadlines, and the listener while it is deaf */
	TAILQ_HEAD(, client) clients; /* the longest there first */
	size_t count;
	char scratch[READ_SIZE];
};

static void on_client_closed(uv_handle_t *handle)
{
	struct client *client = handle->data;
	buf_fini(&client->line);
	free(client->answer);
	free(client);
}

static void close_client(struct client *client)
{
	struct xaps_socket *socket = client->socket;
	if (client->call)
		xaps_call_forget(mem_steal(client->call));
	TAILQ_REMOVE(&socket->clients, client, place);
	socket->count--;
	uv_close((uv_handle_t *)&client->pipe, on_client_closed);
}

static void on_written(uv_write_t *write, int status)
{
	struct client *client = write->data;
	(void)status;
	if (!uv_is_closing((uv_handle_t *)&client->pipe))
		close_client(client);
}

/* Takes the line. */
static void answer(struct client *client, char *line)
{
	client->answer = line;
	client->deadline_ms = clock_monotonic_ms() + XAPS_SOCKET_REQUEST_MS;
	uv_read_stop((uv_stream_t *)&client->pipe);
	const uv_buf_t bytes = uv_buf_init(line, (unsigned)strlen(line));
	client->write.data = client;
	if (uv_write(&client->write, (uv_stream_t *)&client->pipe, &bytes, 1, on_written))
		close_client(client);
}

static void refuse(struct client *client, const char *kind, const char *why)
{
	client->socket->needs.metrics->rejected[METRICS_REJECTED_malformed]++;
	log_seldom(LOG_LEVEL_WARN, "xaps", kind, "", "request refused", log_text("why", why));
	answer(client, mem_printf("ERROR %.*s\n", ANSWER_TEXT_MAX, why));
}

static void on_answered(void *ctx, enum xaps_call_answer answered, const char *topic)
{
	struct client *client = ctx;
	client->call = NULL;
	if (answered == XAPS_CALL_BAD)
		answer(client, mem_dup("ERROR malformed\n"));
	else if (answered == XAPS_CALL_FAILED)
		answer(client, mem_dup("ERROR not now\n"));
	else
		answer(client, mem_printf("OK %s\n", topic));
}

static void take_line(struct client *client, size_t size)
{
	const char *line = buf_text(&client->line);
	struct xaps_calls *calls = client->socket->needs.calls;
	struct xaps_request request = {0};
	struct err err;
	/* What follows is not looked at; whether it hangs up, writing the answer shows. */
	uv_read_stop((uv_stream_t *)&client->pipe);
	client->deadline_ms = INT64_MAX;
	if (size && line[size - 1] == '\r')
		size--;
	if (xaps_line_parse(line, size, xaps_calls_topics(calls), &request, &err)) {
		refuse(client, "malformed lines of xaps", err.text);
		return;
	}
	client->call = xaps_call(calls, &request, on_answered, client);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct client *client = handle->data;
	(void)suggested;
	*ret = uv_buf_init(client->socket->scratch, READ_SIZE);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
	struct client *client = stream->data;
	if (n < 0) {
		close_client(client);
		return;
	}
	buf_append(&client->line, bytes->base, (size_t)n);
	const char *end = memchr(
		client->line.data + client->looked_at, '\n', client->line.used - client->looked_at);
	client->looked_at = client->line.used;
	if (end)
		take_line(client, (size_t)(end - (const char *)client->line.data));
	else if (client->line.used > XAPS_SOCKET_LINE_MAX)
		refuse(client, "long lines of xaps", "the line is too long");
}

static void on_listener(uv_poll_t *poll, int status, int events);

static void on_tick(uv_timer_t *timer)
{
	struct xaps_socket *socket = timer->data;
	int64_t now_ms = clock_monotonic_ms();
	struct client *client = TAILQ_FIRST(&socket->clients);
	while (client) {
		struct client *next = TAILQ_NEXT(client, place);
		if (client->deadline_ms <= now_ms)
			close_client(client);
		client = next;
	}
	if (socket->is_deaf && socket->listener)
		uv_poll_start(socket->listener, UV_READABLE, on_listener);
	socket->is_deaf = false;
	if (!socket->count)
		uv_timer_stop(timer);
}

static void need_tick(struct xaps_socket *socket)
{
	if (!uv_is_active((uv_handle_t *)&socket->tick))
		uv_timer_start(&socket->tick, on_tick, TICK_MS, TICK_MS);
}

/* One that waits for us goes last: its request is on its way. */
static void make_room(struct xaps_socket *socket)
{
	struct client *client;
	TAILQ_FOREACH(client, &socket->clients, place) {
		if (client->deadline_ms != INT64_MAX)
			break;
	}
	close_client(client ? client : TAILQ_FIRST(&socket->clients));
}

static bool may_ask(struct xaps_socket *socket, int fd)
{
	struct peercred peer = {.uid = (uid_t)-1};
	struct err err;
	if (!peer_of_stream(fd, &peer, &err) &&
		peer_is_allowed(&socket->needs.config->dovecot_peers, peer.uid))
		return true;
	char who[16];
	snprintf(who, sizeof(who), "uid %u", (unsigned)peer.uid);
	socket->needs.metrics->rejected[METRICS_REJECTED_not_allowed]++;
	log_seldom(LOG_LEVEL_WARN, "xaps", "peers refused by xaps_socket", who,
		"not allowed to use xaps_socket (dovecot_users)",
		log_number("uid", (int64_t)peer.uid));
	return false;
}

/* A stranger takes the place of nobody, not even for a moment. */
static void refuse_stranger(int fd)
{
	static const char text[] = "ERROR not allowed\n";
	(void)!send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

/* The descriptor is taken. */
static void begin(struct xaps_socket *socket, int fd)
{
	struct client *client = mem_alloc_zero(1, sizeof(*client));
	client->socket = socket;
	buf_init(&client->line);
	uv_pipe_init(socket->needs.loop, &client->pipe, 0);
	client->pipe.data = client;
	if (uv_pipe_open(&client->pipe, fd)) {
		close(fd);
		uv_close((uv_handle_t *)&client->pipe, on_client_closed);
		return;
	}
	if (socket->count == XAPS_SOCKET_CONNECTIONS_MAX)
		make_room(socket);
	TAILQ_INSERT_TAIL(&socket->clients, client, place);
	socket->count++;
	need_tick(socket);
	client->deadline_ms = clock_monotonic_ms() + XAPS_SOCKET_REQUEST_MS;
	if (uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read))
		close_client(client);
}

static void on_listener(uv_poll_t *poll, int status, int events)
{
	struct xaps_socket *socket = poll->data;
	(void)status;
	(void)events;
	for (unsigned i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd = listener_accept(socket->fd);
		if (fd == -EAGAIN)
			return;
		if (fd == -ECONNABORTED || fd == -EINTR)
			continue;
		if (fd < 0) {
			socket->is_deaf = true;
			uv_poll_stop(poll);
			need_tick(socket);
			return;
		}
		if (may_ask(socket, fd))
			begin(socket, fd);
		else
			refuse_stranger(fd);
	}
}

static void on_listener_closed(uv_handle_t *handle)
{
	free(handle);
}

static void close_listener(struct xaps_socket *socket)
{
	if (!socket->listener)
		return;
	uv_close((uv_handle_t *)mem_steal(socket->listener), on_listener_closed);
	close(socket->fd);
}

static int open_listener(struct xaps_socket *socket, struct err *err)
{
	struct peer_file file;
	const char *path = socket->needs.config->xaps_socket;
	int fd = listener_make(path, XAPS_SOCKET_MODE, (gid_t)-1, &file, err);
	if (fd < 0)
		return fd;
	uv_poll_t *listener = mem_alloc_zero(1, sizeof(*listener));
	int failed = uv_poll_init(socket->needs.loop, listener, fd);
	if (failed) {
		free(listener);
		close(fd);
		peer_unlink(path, &file);
		return err_set(err, failed, "cannot watch xaps_socket '%s': %s", path,
			uv_strerror(failed));
	}
	close_listener(socket);
	listener->data = socket;
	uv_poll_start(listener, UV_READABLE, on_listener);
	socket->listener = listener;
	socket->fd = fd;
	socket->file = file;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

int xaps_socket_new(
	const struct xaps_socket_needs *needs, struct xaps_socket **ret, struct err *err)
{
	struct xaps_socket *socket = mem_alloc_zero(1, sizeof(*socket));
	socket->needs = *needs;
	TAILQ_INIT(&socket->clients);
	uv_timer_init(needs->loop, &socket->tick);
	socket->tick.data = socket;
	int failed = open_listener(socket, err);
	if (failed) {
		uv_close((uv_handle_t *)&socket->tick, on_closed);
		return failed;
	}
	log_event(LOG_LEVEL_INFO, "xaps", "listening for the line protocol of xapsd",
		log_text("socket", needs->config->xaps_socket));
	*ret = socket;
	return 0;
}

const struct peer_file *xaps_socket_file(const struct xaps_socket *socket)
{
	return &socket->file;
}

int xaps_socket_rebind(struct xaps_socket *socket, struct err *err)
{
	return open_listener(socket, err);
}

void xaps_socket_stop(struct xaps_socket *socket)
{
	if (!socket->listener)
		return;
	peer_unlink(socket->needs.config->xaps_socket, &socket->file);
	close_listener(socket);
}

void xaps_socket_free(struct xaps_socket *socket)
{
	if (!socket)
		return;
	xaps_socket_stop(socket);
	struct client *client;
	while ((client = TAILQ_FIRST(&socket->clients)))
		close_client(client);
	uv_close((uv_handle_t *)&socket->tick, on_closed);
}
