#include "sim/connection.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "sim/bearer.h"
#include "sim/certs.h"
#include "sim/response.h"
#include "sim/server_state.h"
#include "sim/tls.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RECORD_SIZE 16384 /* most that one TLS record carries */
#define READS_PER_TURN 64 /* of at most RECORD_SIZE each */
#define HANDSHAKE_MS (30 * 1000)
#define LINGER_MS (5 * 1000)

enum connection_state {
	CONNECTION_HANDSHAKE,
	CONNECTION_OPEN,
	CONNECTION_LINGERING,
	CONNECTION_CLOSED
};

static const unsigned legal_moves[] = {
	[CONNECTION_HANDSHAKE] =
		1u << CONNECTION_OPEN | 1u << CONNECTION_LINGERING | 1u << CONNECTION_CLOSED,
	[CONNECTION_OPEN] = 1u << CONNECTION_LINGERING | 1u << CONNECTION_CLOSED,
	[CONNECTION_LINGERING] = 1u << CONNECTION_CLOSED,
	[CONNECTION_CLOSED] = 0,
};

struct connection {
	struct server *server;
	unsigned id;
	enum connection_state state;
	int fd;
	SSL *ssl;
	nghttp2_session *session;
	struct peer peer;
	struct bearer bearer;
	bool is_trusted; /* by certificate, or by a valid provider token */
	struct stream_list streams;
	struct stream *current; /* whose frames are arriving; saves a look-up for each field */
	struct buf out;

	bool has_goaway;	 /* submit one at the end of the turn */
	bool is_goaway_all;	 /* its last stream is the latest that has arrived */
	int32_t goaway_last;	 /* streams beyond it are not processed */
	bool is_goaway_graceful; /* announced first, with an id that excludes nothing */
	uint32_t goaway_code;
	bool has_goaway_reason;
	char goaway_reason[SERVICE_REASON_SIZE];
	int32_t last_arrived;  /* highest stream that arrived whole */
	int32_t last_answered; /* highest stream that was answered */
	bool is_goaway_announced;
	bool must_reset; /* once nghttp2 has returned */

	bool is_writable_awaited;
	bool is_marked;
	bool is_unread;
	int open_handles;
	uv_poll_t poll;
	uv_timer_t deadline;
	LIST_ENTRY(connection) of_server;
	TAILQ_ENTRY(connection) of_marked;
	TAILQ_ENTRY(connection) of_unread;
};

static void enter(struct connection *c, enum connection_state to)
{
	assert(legal_moves[c->state] & (1u << to));
	c->state = to;
}

void connection_mark(struct connection *c)
{
	if (c->is_marked || c->state != CONNECTION_OPEN)
		return;
	c->is_marked = true;
	TAILQ_INSERT_TAIL(&c->server->marked, c, of_marked);
}

void connection_each(
	struct connection_list *connections, void (*function)(struct connection *connection))
{
	struct connection *c;
	LIST_FOREACH(c, connections, of_server) {
		function(c);
	}
}

static void unmark(struct connection *c)
{
	if (c->is_marked)
		TAILQ_REMOVE(&c->server->marked, c, of_marked);
	c->is_marked = false;
}

static void set_unread(struct connection *c, bool is_unread)
{
	if (c->is_unread == is_unread)
		return;
	c->is_unread = is_unread;
	if (is_unread)
		TAILQ_INSERT_TAIL(&c->server->unread, c, of_unread);
	else
		TAILQ_REMOVE(&c->server->unread, c, of_unread);
}

static void stop_waiting(struct server *server, struct stream *stream)
{
	if (stream->state != STREAM_WAITING)
		return;
	TAILQ_REMOVE(&server->waiting, stream, of_waiting);
	server->stats.waiting--;
	stream->state = STREAM_ENDED;
}

/* The push will never be answered. */
static void give_up(struct connection *c, struct stream *stream, const char *reason)
{
	stop_waiting(c->server, stream);
	stream->state = STREAM_ENDED;
	if (!stream->is_trial)
		stats_count_unanswered(&c->server->stats, reason);
	record_push(c->server->record, c->id, stream, NULL, reason);
}

static void drop_stream(struct connection *c, struct stream *stream)
{
	if (c->current == stream)
		c->current = NULL;
	LIST_REMOVE(stream, of_connection);
	c->server->stats.streams--;
	stream_put(&c->server->pool, stream);
}

static void end_streams(struct connection *c)
{
	struct stream *stream;
	while ((stream = LIST_FIRST(&c->streams))) {
		if (stream->state != STREAM_ENDED)
			give_up(c, stream, NULL);
		drop_stream(c, stream);
	}
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct connection *c = handle->data;
	if (--c->open_handles == 0)
		free(c);
}

void connection_close(struct connection *c, bool is_reset)
{
	if (c->state == CONNECTION_CLOSED)
		return;
	enter(c, CONNECTION_CLOSED);
	unmark(c);
	set_unread(c, false);

	end_streams(c);
	LIST_REMOVE(c, of_server);
	c->server->stats.connections_open--;

	nghttp2_session_del(c->session);
	SSL_free(c->ssl);
	certs_peer_fini(&c->peer);
	buf_fini(&c->out);
	if (is_reset) {
		struct linger linger = {.l_onoff = 1, .l_linger = 0};
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	}
	uv_close((uv_handle_t *)&c->poll, on_handle_closed);
	uv_close((uv_handle_t *)&c->deadline, on_handle_closed);
	close(c->fd);
}

static void on_deadline(uv_timer_t *timer)
{
	connection_close(timer->data, false);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void await_writable(struct connection *c, bool is_awaited)
{
	if (c->is_writable_awaited == is_awaited)
		return;
	c->is_writable_awaited = is_awaited;
	uv_poll_start(&c->poll, UV_READABLE | (is_awaited ? UV_WRITABLE : 0), on_poll);
}

/* Everything is sent; the client closes. */
static void begin_lingering(struct connection *c)
{
	ERR_clear_error();
	if (SSL_is_init_finished(c->ssl))
		SSL_shutdown(c->ssl);
	unmark(c);
	set_unread(c, false);
	end_streams(c); /* nghttp2 is not called any more */
	enter(c, CONNECTION_LINGERING);
	if (shutdown(c->fd, SHUT_WR)) {
		connection_close(c, false);
		return;
	}
	await_writable(c, false);
	uv_timer_start(&c->deadline, on_deadline, LINGER_MS, 0);
}

static void linger(struct connection *c)
{
	uint8_t bytes[RECORD_SIZE];
	ssize_t n = read(c->fd, bytes, sizeof(bytes));
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	connection_close(c, false);
}

/* Without a certificate each push carries a provider token. */
static void check_provider(struct connection *c, struct stream *stream)
{
	const struct server *server = c->server;
	const struct bearer_rules rules = {.dir = server->dir,
		.lifetime_ms = server->behaviour.provider_lifetime_ms,
		.update_least_ms = server->behaviour.provider_update_least_ms};
	if (c->peer.has_certificate || c->peer.has_any_topic)
		return;
	bearer_check(&c->bearer, &rules, &stream->request, clock_unix_ms());
	if (!stream->request.is_authorized)
		return;
	stream->provider_issued_unix_s = c->bearer.issued_unix_s;
	if (!c->is_trusted) {
		c->is_trusted = true;
		connection_announce_settings(c);
	}
}

void connection_answer(struct connection *c, struct stream *stream)
{
	struct server *server = c->server;
	struct verdict verdict;
	check_provider(c, stream);
	behaviour_decide(&server->behaviour, &stream->request, &c->peer, &verdict);
	stream_choose_id(stream, &server->pool);
	stream->state = STREAM_ENDED;
	if (stream->id > c->last_answered)
		c->last_answered = stream->id;

	if (!stream->is_trial)
		stats_count_verdict(&server->stats, &verdict);
	if (record_mode_keeps_pushes(server->record_mode)) {
		stream->answered_unix_ms = clock_unix_ms();
		record_push(server->record, c->id, stream, &verdict, NULL);
	}
	response_submit(c->session, stream, &verdict, &server->behaviour.adornment);
	connection_mark(c);
}

bool connection_is_beyond_goaway(const struct connection *c, const struct stream *stream)
{
	return stream->id > c->goaway_last;
}

static void plan_goaway(struct connection *c, int32_t last)
{
	const struct behaviour *behaviour = &c->server->behaviour;
	c->has_goaway = true;
	c->is_goaway_all = behaviour->goaway_last == GOAWAY_LAST_ALL;
	if (!c->is_goaway_all && last < c->goaway_last)
		c->goaway_last = last;
	c->is_goaway_graceful = behaviour->is_goaway_graceful;
	c->goaway_code = behaviour->goaway_code;
	c->has_goaway_reason = behaviour->has_goaway_reason;
	memcpy(c->goaway_reason, behaviour->goaway_reason, sizeof(c->goaway_reason));
	connection_mark(c);
}

void connection_goaway(struct connection *c)
{
	if (c->state == CONNECTION_OPEN)
		plan_goaway(c, c->last_answered);
}

static void submit_goaway(struct connection *c)
{
	char text[SERVICE_REASON_SIZE + 16];
	if (c->is_goaway_graceful) {
		/* The other follows when the client has seen this one (on_sent, on_frame). */
		c->is_goaway_graceful = c->has_goaway = false;
		c->is_goaway_announced = true;
		nghttp2_submit_shutdown_notice(c->session);
		return;
	}
	int n = c->has_goaway_reason
		? snprintf(text, sizeof(text), "{\"reason\":\"%s\"}", c->goaway_reason)
		: 0;
	assert(n >= 0 && (size_t)n < sizeof(text));
	int32_t arrived = nghttp2_session_get_last_proc_stream_id(c->session);
	if (c->goaway_last > arrived)
		c->goaway_last = arrived;
	nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE, c->goaway_last, c->goaway_code,
		(const uint8_t *)text, (size_t)n);
	c->has_goaway = false;
}

static void wait_in_line(struct server *server, struct stream *stream)
{
	stream->state = STREAM_WAITING;
	TAILQ_INSERT_TAIL(&server->waiting, stream, of_waiting);
	server->stats.waiting++;
}

/* No requested fault applies to it, except that a silent server does not answer. */
static int trial_arrived(struct connection *c, struct stream *stream)
{
	stream->is_trial = true;
	c->server->stats.trials++;
	if (c->server->behaviour.is_silent)
		wait_in_line(c->server, stream);
	else
		connection_answer(c, stream);
	return 0;
}

/* A push is complete: answers it, or applies the requested fault. */
static int push_arrived(struct connection *c, struct stream *stream)
{
	struct server *server = c->server;
	if (connection_is_beyond_goaway(c, stream))
		return 0;
	stream->is_complete = true;
	stream->arrived_ms = (int64_t)uv_now(server->loop);
	if (stream->id > c->last_arrived)
		c->last_arrived = stream->id;
	if (service_is_trial(&stream->request))
		return trial_arrived(c, stream);
	server->stats.pushes++;

	struct arrival arrival = behaviour_arrived(&server->behaviour);
	if (arrival.is_goaway)
		plan_goaway(c, c->last_arrived);
	switch (arrival.what) {
	case ARRIVAL_RESET:
		c->must_reset = true;
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	case ARRIVAL_RST_STREAM:
		give_up(c, stream, nghttp2_http2_strerror(arrival.rst_code));
		nghttp2_submit_rst_stream(
			c->session, NGHTTP2_FLAG_NONE, stream->id, arrival.rst_code);
		connection_mark(c);
		return 0;
	case ARRIVAL_ANSWER:
		break;
	}
	if (behaviour_holds(&server->behaviour) || server->behaviour.delay_ms) {
		wait_in_line(server, stream);
		return 0;
	}
	connection_answer(c, stream);
	return 0;
}

static struct stream *find_stream(struct connection *c, int32_t id)
{
	if (!c->current || c->current->id != id)
		c->current = nghttp2_session_get_stream_user_data(c->session, id);
	return c->current;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	struct connection *c = user_data;
	struct server *server = c->server;
	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	struct stream *stream = stream_get(&server->pool);
	stream->connection = c;
	stream->id = frame->hd.stream_id;
	if (record_mode_keeps_pushes(server->record_mode))
		stream->arrived_unix_ms = clock_unix_ms();
	LIST_INSERT_HEAD(&c->streams, stream, of_connection);
	if (++server->stats.streams > server->stats.streams_max)
		server->stats.streams_max = server->stats.streams;
	nghttp2_session_set_stream_user_data(session, stream->id, stream);
	c->current = stream;
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
	nghttp2_rcbuf *value, uint8_t flags, void *user_data)
{
	(void)session;
	(void)flags;
	struct connection *c = user_data;
	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	struct stream *stream = find_stream(c, frame->hd.stream_id);
	if (stream)
		stream_add_field(
			stream, name, value, record_mode_keeps_pushes(c->server->record_mode));
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *bytes,
	size_t size, void *user_data)
{
	(void)session;
	(void)flags;
	struct stream *stream = find_stream(user_data, stream_id);
	if (stream)
		stream_add_payload(stream, bytes, size);
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	(void)session;
	struct connection *c = user_data;
	if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) &&
		c->is_goaway_announced) {
		c->is_goaway_announced = false;
		c->has_goaway = true;
		connection_mark(c);
	}
	if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	struct stream *stream = find_stream(c, frame->hd.stream_id);
	return stream && stream->state == STREAM_ARRIVING && !stream->is_complete
		? push_arrived(c, stream)
		: 0;
}

/* A PING that is submitted together with a GOAWAY would overtake it. */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	const struct connection *c = user_data;
	if (frame->hd.type == NGHTTP2_GOAWAY && c->is_goaway_announced)
		nghttp2_submit_ping(session, NGHTTP2_FLAG_NONE, NULL);
	if (frame->hd.type == NGHTTP2_PING && frame->hd.flags & NGHTTP2_FLAG_ACK)
		c->server->stats.pings_answered++;
	return 0;
}

static int on_stream_close(
	nghttp2_session *session, int32_t stream_id, uint32_t error_code, void *user_data)
{
	struct connection *c = user_data;
	struct stream *stream = nghttp2_session_get_stream_user_data(session, stream_id);
	if (!stream)
		return 0;
	if (stream->state != STREAM_ENDED)
		give_up(c, stream,
			connection_is_beyond_goaway(c, stream)
				? "GOAWAY"
				: nghttp2_http2_strerror(error_code));
	drop_stream(c, stream);
	return 0;
}

static ssize_t on_padding(
	nghttp2_session *session, const nghttp2_frame *frame, size_t most, void *user_data)
{
	(void)session;
	const struct connection *c = user_data;
	size_t padded = frame->hd.length + c->server->behaviour.adornment.pad_bytes;
	return (ssize_t)(padded < most ? padded : most);
}

static size_t fill_settings(const struct connection *c, nghttp2_settings_entry *entries)
{
	size_t n = 0;
	uint32_t streams = c->server->behaviour.max_concurrent_streams;
	entries[n++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
		c->is_trusted || streams < 1 ? streams : 1};
	entries[n++] = (nghttp2_settings_entry){
		NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, c->server->behaviour.initial_window_size};
	entries[n++] = (nghttp2_settings_entry){
		NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, c->server->behaviour.header_table_size};
	entries[n++] = (nghttp2_settings_entry){
		NGHTTP2_SETTINGS_MAX_FRAME_SIZE, c->server->behaviour.max_frame_size};
	return n;
}

static void start_http2(struct connection *c)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	if (nghttp2_session_callbacks_new(&callbacks) || nghttp2_option_new(&option))
		abort();
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_session_callbacks_set_select_padding_callback(callbacks, on_padding);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
	nghttp2_option_set_no_closed_streams(option, 1);
	if (nghttp2_session_server_new2(&c->session, callbacks, c, option))
		abort();
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);

	nghttp2_settings_entry entries[5];
	size_t n = fill_settings(c, entries);
	entries[n++] = (nghttp2_settings_entry){
		NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, SERVICE_HEADER_LIST_MAX};
	nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, entries, n);
	connection_mark(c);
}

void connection_flood(struct connection *c)
{
	const struct behaviour *behaviour = &c->server->behaviour;
	for (uint64_t i = 0; i < behaviour->flood_count && c->state == CONNECTION_OPEN; i++) {
		if (behaviour->is_flood_of_settings)
			nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, NULL, 0);
		else
			nghttp2_submit_ping(c->session, NGHTTP2_FLAG_NONE, NULL);
	}
	connection_mark(c);
}

void connection_announce_settings(struct connection *c)
{
	if (c->state != CONNECTION_OPEN)
		return;
	nghttp2_settings_entry entries[5];
	size_t n = fill_settings(c, entries);
	nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, entries, n);
	connection_mark(c);
}

static void read_all(struct connection *c)
{
	uint8_t bytes[RECORD_SIZE];
	set_unread(c, false);
	for (int i = 0; i < READS_PER_TURN; i++) {
		ERR_clear_error();
		int n = SSL_read(c->ssl, bytes, sizeof(bytes));
		if (n <= 0) {
			int why = SSL_get_error(c->ssl, n);
			if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
				connection_close(c, false);
			return;
		}
		ssize_t used = nghttp2_session_mem_recv(c->session, bytes, (size_t)n);
		if (used < 0) {
			connection_close(c, c->must_reset);
			return;
		}
		/*
		 * Before the end of the turn: the client works on these answers while the simulator
		 * works on the rest.
		 */
		connection_flush(c);
		if (c->state != CONNECTION_OPEN)
			return;
	}
	set_unread(c, true);
}

static void handshake_failed(struct connection *c, const char *why)
{
	char text[256];
	tls_last_error(text, sizeof(text));
	long verified = SSL_get_verify_result(c->ssl);
	if (verified != X509_V_OK)
		why = X509_verify_cert_error_string(verified);
	else if (text[0])
		why = text;
	fprintf(stderr, "apns-sim: connection %u: TLS handshake failed: %s\n", c->id, why);
	c->server->stats.handshakes_failed++;
	begin_lingering(c);
}

static void handshake(struct connection *c)
{
	ERR_clear_error();
	int r = SSL_accept(c->ssl);
	if (r != 1) {
		int why = SSL_get_error(c->ssl, r);
		if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
			await_writable(c, why == SSL_ERROR_WANT_WRITE);
		else
			handshake_failed(c, "the client went away");
		return;
	}
	const unsigned char *protocol;
	unsigned int size;
	SSL_get0_alpn_selected(c->ssl, &protocol, &size);
	if (size != 2 && !c->server->behaviour.tls.has_no_alpn) {
		handshake_failed(c, "the client did not offer h2");
		return;
	}
	await_writable(c, false);
	uv_timer_stop(&c->deadline);
	tls_read_peer(c->ssl, c->server->has_client_auth, &c->peer);
	c->is_trusted = c->peer.has_certificate || c->peer.has_any_topic;
	enter(c, CONNECTION_OPEN);
	start_http2(c);
	read_all(c);
}

/* Returns whether everything has gone. */
static bool write_out(struct connection *c, size_t least)
{
	while (c->out.used && c->out.used >= least) {
		ERR_clear_error();
		size_t size = c->out.used < RECORD_SIZE ? c->out.used : RECORD_SIZE;
		int n = SSL_write(c->ssl, c->out.data, (int)size);
		if (n <= 0) {
			int why = SSL_get_error(c->ssl, n);
			if (why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ)
				await_writable(c, true);
			else
				connection_close(c, false);
			return false;
		}
		buf_consume(&c->out, (size_t)n);
	}
	return true;
}

void connection_flush(struct connection *c)
{
	unmark(c);
	if (c->state != CONNECTION_OPEN)
		return;
	/*
	 * Every answer that reached a client is recorded, even if the simulator is killed the next
	 * moment.
	 */
	record_flush(c->server->record);
	if (c->server->behaviour.is_silent) {
		await_writable(c, false);
		return;
	}
	if (c->has_goaway)
		submit_goaway(c);

	for (;;) {
		const uint8_t *bytes;
		ssize_t n = nghttp2_session_mem_send(c->session, &bytes);
		if (n < 0) {
			connection_close(c, false);
			return;
		}
		if (n == 0)
			break;
		buf_append(&c->out, bytes, (size_t)n);
		if (!write_out(c, RECORD_SIZE))
			return;
	}
	if (!write_out(c, 0))
		return;
	await_writable(c, false);
	if (!nghttp2_session_want_read(c->session) && !nghttp2_session_want_write(c->session))
		begin_lingering(c);
}

void connection_read_on(struct connection *c)
{
	if (c->state == CONNECTION_OPEN)
		read_all(c);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct connection *c = poll->data;
	if (status < 0) {
		connection_close(c, false);
		return;
	}
	switch (c->state) {
	case CONNECTION_HANDSHAKE:
		handshake(c);
		break;
	case CONNECTION_OPEN:
		if (events & UV_WRITABLE)
			connection_mark(c);
		if (events & UV_READABLE)
			read_all(c);
		break;
	case CONNECTION_LINGERING:
		linger(c);
		break;
	case CONNECTION_CLOSED:
		break;
	}
}

void connection_accept(struct server *server, int fd)
{
	struct connection *c = mem_alloc_zero(1, sizeof(*c));
	c->server = server;
	c->id = ++server->last_connection;
	c->fd = fd;
	c->goaway_last = INT32_MAX;
	LIST_INIT(&c->streams);
	buf_init(&c->out);
	c->ssl = tls_open(server->tls, &server->behaviour.tls);
	if (SSL_set_fd(c->ssl, fd) != 1 || uv_poll_init(server->loop, &c->poll, fd))
		abort();
	SSL_set_accept_state(c->ssl);
	uv_timer_init(server->loop, &c->deadline);
	c->poll.data = c;
	c->deadline.data = c;
	c->open_handles = 2;

	LIST_INSERT_HEAD(&server->connections, c, of_server);
	server->stats.connections_total++;
	server->stats.connections_open++;
	uv_timer_start(&c->deadline, on_deadline, HANDSHAKE_MS, 0);
	uv_poll_start(&c->poll, UV_READABLE, on_poll);
}
