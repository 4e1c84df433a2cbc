#include "apns/connection.h"

#include "apns/proxy.h"
#include "apns/session.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE (16 * 1024)
#define READ_TURN_MAX (1024 * 1024) /* bytes a turn of the loop, so that others run too */
#define RECORD_SIZE (16 * 1024)	    /* the largest TLS record, and one system call */
#define GATHER_SIZE (4 * RECORD_SIZE)

enum state { NEW, DIALLING, TUNNEL, HANDSHAKE, READY, DRAINING, CLOSED };

static const char *const state_names[] = {
	"new", "dialling", "tunnel", "handshake", "ready", "draining", "closed"};

static const unsigned legal_moves[] = {
	[NEW] = 1u << DIALLING,
	[DIALLING] = 1u << TUNNEL | 1u << HANDSHAKE | 1u << CLOSED,
	[TUNNEL] = 1u << HANDSHAKE | 1u << CLOSED,
	[HANDSHAKE] = 1u << READY | 1u << CLOSED,
	[READY] = 1u << DRAINING | 1u << CLOSED,
	[DRAINING] = 1u << CLOSED,
	[CLOSED] = 0,
};

struct connection {
	uv_loop_t *loop;
	struct connection_settings settings;
	enum state state;
	enum connection_end end;
	char why[ERR_TEXT_MAX]; /* why it closed */
	bool works;

	struct dialer *dialer; /* while dialling */
	struct sockaddr_storage address;
	bool has_address;
	int fd;		   /* -1 before there is one */
	struct buf answer; /* the proxy's, so far */
	SSL *ssl;
	struct session *session;

	uv_poll_t poll;
	bool has_poll;
	int events; /* polled for */
	bool wants_write;
	bool has_unread; /* it stopped at READ_TURN_MAX */
	struct buf out;
	size_t out_sent;

	uv_timer_t timer;
	int64_t timer_due_ms; /* INT64_MAX: not running */
	int64_t began_ms;
	int64_t last_read_ms;
	int64_t ping_sent_ms; /* 0: none is unanswered */

	unsigned open_handles;
	bool is_freed; /* goes when the handles are closed */
};

static int64_t now_ms(const struct connection *connection)
{
	return (int64_t)uv_now(connection->loop);
}

static void enter(struct connection *connection, enum state to, const char *why);

static void release(struct connection *connection)
{
	if (connection->open_handles > 0 || !connection->is_freed)
		return;
	SSL_free(connection->ssl);
	session_free(connection->session);
	buf_fini(&connection->out);
	buf_fini(&connection->answer);
	free(connection);
}

static void on_closed(uv_handle_t *handle)
{
	struct connection *connection = handle->data;
	if (handle == (uv_handle_t *)&connection->poll)
		close(connection->fd);
	connection->open_handles--;
	release(connection);
}

/* The only way to the end. */
static void finish(struct connection *connection, enum connection_end end, const char *why)
{
	if (connection->state == CLOSED)
		return;
	connection->end = end;
	snprintf(connection->why, sizeof(connection->why), "%s", why);
	enter(connection, CLOSED, why);
}

static void break_off(struct connection *connection, const char *why)
{
	finish(connection, connection->works ? CONNECTION_LOST : CONNECTION_FAILED, why);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void poll_for(struct connection *connection, int events)
{
	if (events == connection->events)
		return;
	connection->events = events;
	uv_poll_start(&connection->poll, events, on_poll);
}

static void on_timer(uv_timer_t *timer);
static void receive(struct connection *connection);

static void wake_at(struct connection *connection, int64_t due_ms)
{
	if (due_ms >= connection->timer_due_ms)
		return;
	int64_t delay_ms = due_ms - now_ms(connection);
	connection->timer_due_ms = due_ms;
	uv_timer_start(&connection->timer, on_timer, delay_ms > 0 ? (uint64_t)delay_ms : 0, 0);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t ping_due_ms(const struct connection *connection)
{
	const struct sender_settings *settings = connection->settings.sender;
	const struct sender_push *oldest = session_oldest(connection->session);
	if (connection->ping_sent_ms)
		return connection->ping_sent_ms + settings->ping_timeout_ms;
	if (!oldest)
		return connection->last_read_ms + settings->ping_idle_ms;
	/* Silence counts from the push if that is later than the last byte. */
	int64_t since_ms = connection->last_read_ms > oldest->sent_ms ? connection->last_read_ms
								      : oldest->sent_ms;
	return since_ms + settings->ping_silence_ms;
}

/* Each address gets the whole time. */
static int64_t connect_due_ms(const struct connection *connection)
{
	int64_t since_ms = connection->began_ms;
	if (connection->dialer && dialer_tried_ms(connection->dialer) > since_ms)
		since_ms = dialer_tried_ms(connection->dialer);
	return since_ms + connection->settings.sender->connect_timeout_ms;
}

static int64_t next_due_ms(const struct connection *connection)
{
	const struct sender_settings *settings = connection->settings.sender;
	int64_t due_ms = INT64_MAX;
	if (!connection->works)
		due_ms = connect_due_ms(connection);
	if (connection->state >= READY) {
		const struct sender_push *oldest = session_oldest(connection->session);
		if (oldest)
			due_ms = earlier(due_ms, oldest->sent_ms + settings->push_deadline_ms);
		due_ms = earlier(due_ms, ping_due_ms(connection));
	}
	return due_ms;
}

static void give_up_overdue(struct connection *connection)
{
	for (;;) {
		struct sender_push *oldest = session_oldest(connection->session);
		if (!oldest ||
			oldest->sent_ms + connection->settings.sender->push_deadline_ms >
				now_ms(connection))
			return;
		session_give_up(connection->session, oldest, APNS_SILENT);
		connection->settings.changed(connection->settings.ctx);
	}
}

static void check_silence(struct connection *connection)
{
	if (ping_due_ms(connection) > now_ms(connection))
		return;
	if (connection->ping_sent_ms) {
		break_off(connection, "the server does not answer a PING");
		return;
	}
	session_ping(connection->session);
	connection->ping_sent_ms = now_ms(connection);
	connection->settings.changed(connection->settings.ctx);
}

static void give_up_connecting(struct connection *connection)
{
	const struct sender_settings *settings = connection->settings.sender;
	struct err err;
	if (connection->dialer && !dialer_tried_ms(connection->dialer))
		err_set(&err, -EIO, "cannot resolve '%s' in time; check DNS",
			settings->proxy_host ? settings->proxy_host : settings->host);
	else
		err_set(&err, -EIO, "no connection to %s port %u in time (%s); check the network",
			settings->host, (unsigned)settings->port, state_names[connection->state]);
	break_off(connection, err.text);
}

static void on_timer(uv_timer_t *timer)
{
	struct connection *connection = timer->data;
	connection->timer_due_ms = INT64_MAX;

	if (!connection->works && connect_due_ms(connection) <= now_ms(connection)) {
		give_up_connecting(connection);
		return;
	}
	/* Bytes that arrived before the limit, but are unread, are in time. */
	if (connection->state >= READY)
		receive(connection);
	if (connection->state == READY || connection->state == DRAINING) {
		give_up_overdue(connection);
		check_silence(connection);
	}
	if (connection->state != CLOSED)
		wake_at(connection, next_due_ms(connection));
}

/* An SSL function failed for good. */
static void break_off_tls(struct connection *connection, int result, int saved_errno)
{
	struct err err;
	bool is_refused = tls_explain(connection->ssl, result, saved_errno, &err);
	if (is_refused)
		finish(connection, CONNECTION_REFUSED, err.text);
	else if (connection->state == DRAINING)
		finish(connection, CONNECTION_LEFT, err.text);
	else
		break_off(connection, err.text);
}

static void take_goaway(struct connection *connection, const struct session_goaway *goaway)
{
	struct err err;
	if (verdict_is_refusal(goaway->reason)) {
		err_set(&err, -EIO, "the server refused us (GOAWAY %s); %s", goaway->reason,
			verdict_remedy(goaway->reason));
		finish(connection, CONNECTION_REFUSED, err.text);
	} else if (connection->state == READY) {
		err_set(&err, -EIO, "GOAWAY (%s, error %u)",
			goaway->reason[0] ? goaway->reason : "no reason",
			(unsigned)goaway->error_code);
		enter(connection, DRAINING, err.text);
	}
}

static void take_in(struct connection *connection)
{
	connection->last_read_ms = now_ms(connection);
	connection->ping_sent_ms = 0;
	if (session_is_acknowledged(connection->session))
		connection->works = true;
	const struct session_goaway *goaway = session_goaway(connection->session);
	if (goaway)
		take_goaway(connection, goaway);
	else if (session_is_refusing(connection->session))
		break_off(connection, "the server refuses every stream");
}

static void receive(struct connection *connection)
{
	uint8_t bytes[READ_SIZE];
	size_t total = 0;
	int n, saved_errno;
	struct err err;

	connection->has_unread = false;
	do {
		ERR_clear_error();
		n = SSL_read(connection->ssl, bytes, sizeof(bytes));
		saved_errno = errno;
		if (n > 0 && session_receive(connection->session, bytes, (size_t)n, &err) < 0) {
			break_off(connection, err.text);
			return;
		}
		total += n > 0 ? (size_t)n : 0;
	} while (n > 0 && total < READ_TURN_MAX);

	/* Before the end is judged: a GOAWAY just before it gives the reason. */
	if (total > 0)
		take_in(connection);
	if (n > 0)
		connection->has_unread = true;
	else if (connection->state != CLOSED &&
		SSL_get_error(connection->ssl, n) != SSL_ERROR_WANT_READ)
		break_off_tls(connection, n, saved_errno);
	connection->settings.changed(connection->settings.ctx);
}

static void shake_hands(struct connection *connection)
{
	ERR_clear_error();
	int r = SSL_do_handshake(connection->ssl);
	int saved_errno = errno;
	if (r == 1) {
		if (tls_is_h2(connection->ssl))
			enter(connection, READY,
				SSL_session_reused(connection->ssl)
					? "TLS session resumed"
					: SSL_get_version(connection->ssl));
		else
			break_off(connection, TLS_NO_H2);
		return;
	}
	int kind = SSL_get_error(connection->ssl, r);
	if (kind == SSL_ERROR_WANT_READ)
		poll_for(connection, UV_READABLE);
	else if (kind == SSL_ERROR_WANT_WRITE)
		poll_for(connection, UV_READABLE | UV_WRITABLE);
	else
		break_off_tls(connection, r, saved_errno);
}

/* The request is small and the socket new: if it does not fit, the connection is useless. */
static void ask_proxy(struct connection *connection)
{
	const struct sender_settings *settings = connection->settings.sender;
	buf_auto struct buf request;
	buf_init(&request);
	proxy_write_request(&request, settings->host, settings->port, settings->proxy_login);
	if (send(connection->fd, request.data, request.used, MSG_NOSIGNAL) !=
		(ssize_t)request.used) {
		break_off(connection, "the proxy closed the connection; check proxy");
		return;
	}
	poll_for(connection, UV_READABLE);
}

static void read_proxy(struct connection *connection)
{
	struct buf *answer = &connection->answer;
	struct err err;
	size_t used;
	size_t room = PROXY_ANSWER_MAX - answer->used;
	ssize_t n = recv(connection->fd, buf_reserve(answer, room), room, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		break_off(connection,
			"the proxy closed the connection without an answer; check proxy");
		return;
	}
	buf_commit(answer, (size_t)n);
	int r = proxy_read_answer((const char *)answer->data, answer->used, &used, &err);
	if (r < 0)
		break_off(connection, err.text);
	else if (r > 0 && used < answer->used)
		/* In TLS the client begins. */
		break_off(connection, "the proxy sent bytes before TLS began; check proxy");
	else if (r > 0)
		enter(connection, HANDSHAKE, "the proxy opened a tunnel");
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct connection *connection = poll->data;
	if (connection->state == TUNNEL) {
		read_proxy(connection);
		return;
	}
	if (connection->state == HANDSHAKE) {
		shake_hands(connection);
		return;
	}
	if (events & UV_WRITABLE) {
		connection->wants_write = false;
		poll_for(connection, UV_READABLE);
		connection->settings.changed(connection->settings.ctx);
	}
	/* The next read returns an error with its reason. */
	if ((events & UV_READABLE) || status < 0)
		receive(connection);
}

static void on_dialled(
	void *ctx, int fd, const struct sockaddr_storage *address, const char *failure)
{
	struct connection *connection = ctx;
	connection->dialer = NULL;
	if (fd < 0) {
		break_off(connection, failure);
		return;
	}
	int r = uv_poll_init(connection->loop, &connection->poll, fd);
	if (r < 0) {
		close(fd);
		break_off(connection, uv_strerror(r));
		return;
	}
	connection->fd = fd;
	connection->has_poll = true;
	connection->open_handles++;
	connection->poll.data = connection;
	connection->address = *address;
	connection->has_address = true;
	connection->began_ms = now_ms(connection);
	if (connection->settings.sender->proxy_host)
		enter(connection, TUNNEL, "connected to the proxy");
	else
		enter(connection, HANDSHAKE, "connected");
}

static bool is_in_use(void *ctx, const struct sockaddr_storage *address)
{
	const struct connection *connection = ctx;
	return connection->settings.in_use(connection->settings.ctx, address);
}

static void dial(struct connection *connection)
{
	const struct sender_settings *sender = connection->settings.sender;
	const struct dialer_settings settings = {
		.host = sender->proxy_host ? sender->proxy_host : sender->host,
		.key = sender->proxy_host ? "proxy" : "apns_host",
		.port = sender->proxy_host ? sender->proxy_port : sender->port,
		.rotation = connection->settings.rotation,
		.next_after_ms = sender->next_address_ms,
		.in_use = is_in_use,
		.done = on_dialled,
		.ctx = connection,
	};
	struct err err;
	connection->began_ms = now_ms(connection);
	wake_at(connection, next_due_ms(connection));
	if (dialer_start(connection->loop, &settings, &connection->dialer, &err) < 0)
		break_off(connection, err.text);
}

static void begin_session(struct connection *connection)
{
	const struct sender_settings *sender = connection->settings.sender;
	connection->session = session_new(connection->settings.authority, sender->priority);
	if (sender->first_stream_id)
		session_begin_at(connection->session, sender->first_stream_id);
	connection->last_read_ms = now_ms(connection);
	poll_for(connection, UV_READABLE);
	wake_at(connection, next_due_ms(connection));
	receive(connection);
}

static void let_go(struct connection *connection)
{
	if (!connection->works)
		tls_forget_session(connection->settings.tls);
	if (connection->dialer) {
		dialer_cancel(connection->dialer);
		connection->dialer = NULL;
	}
	if (connection->session)
		session_lose(connection->session);
	if (connection->has_poll)
		uv_close((uv_handle_t *)&connection->poll, on_closed);
	uv_close((uv_handle_t *)&connection->timer, on_closed);
}

/* The only writer of the state.  An entry action may enter the next state, for example when a write
 * fails. */
static void enter(struct connection *connection, enum state to, const char *why)
{
	char address[DIALER_ADDRESS_SIZE] = "";
	bool is_news = connection->state >= READY || to == READY;

	assert(legal_moves[connection->state] & (1u << to));
	if (connection->has_address)
		dialer_address_text(&connection->address, address);
	log_event(is_news ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "apns", "connection",
		log_number("id", connection->settings.id),
		log_text("from", state_names[connection->state]), log_text("to", state_names[to]),
		log_text("address", address), log_text("why", why));
	connection->state = to;
	connection->settings.changed(connection->settings.ctx);

	switch (to) {
	case NEW:
		break;
	case DIALLING:
		dial(connection);
		break;
	case TUNNEL:
		ask_proxy(connection);
		break;
	case HANDSHAKE:
		connection->ssl = tls_open(connection->settings.tls, connection->fd);
		shake_hands(connection);
		break;
	case READY:
		begin_session(connection);
		break;
	case DRAINING: /* connection_flush closes it when its last push is answered */
		break;
	case CLOSED:
		let_go(connection);
		break;
	}
}

struct connection *connection_new(uv_loop_t *loop, const struct connection_settings *settings)
{
	struct connection *connection = mem_alloc_zero(1, sizeof(*connection));
	connection->loop = loop;
	connection->settings = *settings;
	connection->fd = -1;
	connection->timer_due_ms = INT64_MAX;
	buf_init(&connection->out);
	buf_init(&connection->answer);
	uv_timer_init(loop, &connection->timer);
	connection->timer.data = connection;
	connection->open_handles = 1;
	enter(connection, DIALLING,
		settings->sender->proxy_host ? "through the proxy" : "directly");
	return connection;
}

void connection_free(struct connection *connection)
{
	assert(connection->state == CLOSED && !connection->is_freed);
	connection->is_freed = true;
	release(connection);
}

bool connection_is_ready(const struct connection *connection)
{
	return connection->state == READY;
}

bool connection_is_starting(const struct connection *connection)
{
	return connection->state == DIALLING || connection->state == TUNNEL ||
		connection->state == HANDSHAKE;
}

bool connection_works(const struct connection *connection)
{
	return connection->works;
}

bool connection_is_closed(const struct connection *connection)
{
	return connection->state == CLOSED;
}

enum connection_end connection_end(const struct connection *connection, const char **ret_why)
{
	*ret_why = connection->why;
	return connection->end;
}

const struct sockaddr_storage *connection_address(const struct connection *connection)
{
	return connection->has_address ? &connection->address : NULL;
}

size_t connection_room(const struct connection *connection)
{
	return connection->state == READY ? session_room(connection->session) : 0;
}

size_t connection_limit(const struct connection *connection)
{
	return connection->state == READY ? session_limit(connection->session) : 0;
}

size_t connection_in_flight(const struct connection *connection)
{
	return connection->session ? session_in_flight(connection->session) : 0;
}

void connection_push(struct connection *connection, struct sender_push *push)
{
	assert(connection->state == READY);
	push->sent_ms = now_ms(connection);
	session_push(connection->session, push);
	/* A firewall that forgot an idle connection drops packets silently. */
	if (!connection->ping_sent_ms &&
		push->sent_ms - connection->last_read_ms >=
			connection->settings.sender->ping_doubt_ms) {
		session_ping(connection->session);
		connection->ping_sent_ms = push->sent_ms;
	}
	/* No limit of this push is reached earlier; on_timer checks the exact times. */
	if (session_oldest(connection->session) == push)
		wake_at(connection, next_due_ms(connection));
}

struct sender_push *connection_take_finished(struct connection *connection)
{
	return connection->session ? session_take_finished(connection->session) : NULL;
}

/* A server that closed may have sent the reason: an alert about our certificate, or GOAWAY. */
static void break_off_write(struct connection *connection, int saved_errno)
{
	receive(connection);
	if (connection->state != CLOSED)
		break_off(connection,
			saved_errno ? strerror(saved_errno) : "the server closed the connection");
}

/* Returns whether all was written. */
static bool write_until(struct connection *connection, size_t keep)
{
	struct buf *out = &connection->out;
	while (out->used - connection->out_sent > keep) {
		size_t left = out->used - connection->out_sent;
		ERR_clear_error();
		int n = SSL_write(connection->ssl, out->data + connection->out_sent,
			(int)(left < RECORD_SIZE ? left : RECORD_SIZE));
		if (n <= 0) {
			int saved_errno = errno;
			int kind = SSL_get_error(connection->ssl, n);
			if (kind == SSL_ERROR_WANT_WRITE) {
				connection->wants_write = true;
				poll_for(connection, UV_READABLE | UV_WRITABLE);
			} else if (kind == SSL_ERROR_SYSCALL) {
				break_off_write(connection, saved_errno);
			} else {
				break_off_tls(connection, n, saved_errno);
			}
			return false;
		}
		connection->out_sent += (size_t)n;
	}
	return true;
}

static void write_all(struct connection *connection)
{
	struct buf *out = &connection->out;
	struct err err;
	while (!connection->wants_write) {
		if (connection->out_sent > 0) {
			buf_consume(out, connection->out_sent);
			connection->out_sent = 0;
		}
		if (session_gather(connection->session, out, GATHER_SIZE, &err) < 0) {
			break_off(connection, err.text);
			return;
		}
		/* The rest of a full batch goes into the first record of the next batch. */
		bool is_last = out->used < GATHER_SIZE;
		if (!write_until(connection, is_last ? 0 : RECORD_SIZE - 1) || is_last)
			return;
	}
}

void connection_flush(struct connection *connection)
{
	if (connection->state != READY && connection->state != DRAINING)
		return;
	if (connection->has_unread)
		receive(connection);
	if (connection->state == READY && session_is_worn(connection->session))
		enter(connection, DRAINING, "it runs out of stream ids");
	if (connection->state == CLOSED)
		return;
	bool is_leaving =
		connection->state == DRAINING && session_in_flight(connection->session) == 0;
	if (is_leaving)
		session_leave(connection->session);
	write_all(connection);
	if (session_has_finished(connection->session))
		connection->settings.changed(connection->settings.ctx);
	if (connection->state == CLOSED)
		return;
	if (is_leaving) {
		SSL_shutdown(connection->ssl);
		finish(connection, CONNECTION_LEFT, "all pushes in flight are answered");
	} else if (session_is_over(connection->session)) {
		break_off(connection, "the server violated HTTP/2");
	}
}

void connection_drain(struct connection *connection, const char *why)
{
	if (connection->state == READY)
		enter(connection, DRAINING, why);
	else if (connection->state != DRAINING)
		connection_close(connection, why);
}

void connection_close(struct connection *connection, const char *why)
{
	finish(connection, CONNECTION_LEFT, why);
}
