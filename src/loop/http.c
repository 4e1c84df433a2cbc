#include "loop/http.h"

#include "base/clock.h"
#include "base/mem.h"
#include "platform/mhdwatch.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 64
#define ACCEPTS_A_TURN 16
#define TICK_MS 250
#define STREAM_BLOCK 4096
#define HANDLES 3
#define SPARE 16 /* connections while those that were cut are still closing */

enum request_state {
	REQUEST_COMING,
	REQUEST_OPEN,	   /* the caller has it */
	REQUEST_ANSWERED,  /* answered, but libmicrohttpd does not have the answer yet */
	REQUEST_STREAMING, /* the caller has it, the answer has begun */
	REQUEST_OVER,
};

struct client {
	TAILQ_ENTRY(client) place;
	int fd;
	int64_t since_ms;
	int64_t deadline_ms; /* INT64_MAX: the caller has the request */
	bool is_allowed;
	bool is_idle; /* its last request is answered */
	bool is_cut;
	bool sent_nul;
};

struct http_request {
	struct http *http;
	struct client *client;
	struct MHD_Connection *connection;
	enum request_state state;
	bool is_suspended;
	const char *method;
	const char *path;
	struct buf body;
	bool is_too_large;
	struct {
		const char *name;
		const char *value;
	} added[HTTP_ADDED_MAX];
	unsigned added_count;
	struct MHD_Response *response;
	unsigned status;
	/* A stream. */
	const char *type;
	struct buf waiting;
	bool has_ended;
	void (*gone)(void *ctx);
	void *gone_ctx;
	LIST_ENTRY(http_request) of_http;
};

struct http {
	struct http_settings settings;
	struct MHD_Daemon *mhd;
	uv_poll_t listener;
	struct mhdwatch *watch;
	uv_timer_t pending; /* libmicrohttpd has work */
	uv_timer_t tick;    /* deadlines */
	unsigned handles;
	unsigned client_count;
	unsigned cut_count;	      /* of the clients: they go by libmicrohttpd's next turn */
	TAILQ_HEAD(, client) clients; /* the longest there, or idle, first */
	LIST_HEAD(, http_request) requests;
	bool is_ending;
	bool is_deaf; /* out of descriptors: accepting is retried later */
	bool accepted_refused;
};

static void run(struct http *http);

static void on_pending(uv_timer_t *timer)
{
	run(timer->data);
}

static void plan(struct http *http)
{
	MHD_UNSIGNED_LONG_LONG ms;
	if (http->is_ending)
		return;
	if (MHD_get_timeout(http->mhd, &ms) == MHD_YES)
		uv_timer_start(&http->pending, on_pending, ms, 0);
}

static void run(struct http *http)
{
	MHD_run(http->mhd);
	mhdwatch_renew(http->watch);
	plan(http);
}

static void on_due(void *ctx)
{
	run(ctx);
}

static void cut(struct http *http, struct client *client)
{
	if (client->is_cut)
		return;
	client->is_cut = true;
	http->cut_count++;
	shutdown(client->fd, SHUT_RDWR);
}

static bool end_abandoned(struct http *http);
static void on_listener(uv_poll_t *poll, int status, int events);

static void on_tick(uv_timer_t *timer)
{
	struct http *http = timer->data;
	int64_t now_ms = clock_monotonic_ms();
	struct client *client;
	TAILQ_FOREACH(client, &http->clients, place)
		if (client->deadline_ms <= now_ms)
			cut(http, client);
	if (http->is_deaf)
		uv_poll_start(&http->listener, UV_READABLE, on_listener);
	http->is_deaf = false;
	if (!http->client_count)
		uv_timer_stop(timer);
}

/* The higher, the sooner it must go when there is no room. */
static int rank(const struct client *client)
{
	return client->is_cut || client->deadline_ms == INT64_MAX ? 0
		: !client->is_allowed				  ? 3
		: client->is_idle				  ? 2
								  : 1;
}

/* Those whose clients are gone, or the first of the highest rank. */
static void make_room(struct http *http)
{
	struct client *client;
	struct client *chosen = NULL;
	if (end_abandoned(http))
		return;
	TAILQ_FOREACH(client, &http->clients, place) {
		if (rank(client) > (chosen ? rank(chosen) : 0))
			chosen = client;
	}
	if (chosen)
		cut(http, chosen);
}

static void on_listener(uv_poll_t *poll, int status, int events)
{
	struct http *http = poll->data;
	(void)events;
	for (int i = 0; status == 0 && i < ACCEPTS_A_TURN; i++) {
		struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
		socklen_t size = sizeof(address);
		int fd = accept4(http->settings.listener, (struct sockaddr *)&address, &size,
			SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) {
			http->is_deaf = true;
			uv_poll_stop(poll);
			uv_timer_start(&http->tick, on_tick, TICK_MS, TICK_MS);
		}
		if (fd < 0)
			break;
		if (http->client_count - http->cut_count >= http->settings.connections_max)
			make_room(http);
		http->accepted_refused = http->settings.is_allowed &&
			!http->settings.is_allowed(http->settings.ctx, fd);
		/* On failure libmicrohttpd closes the descriptor itself. */
		MHD_add_connection(http->mhd, fd, (struct sockaddr *)&address, size);
	}
	run(http);
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **socket_context,
	enum MHD_ConnectionNotificationCode code)
{
	struct http *http = ctx;
	struct client *client = *socket_context;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		client = mem_alloc_zero(1, sizeof(*client));
		client->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)
				     ->connect_fd;
		client->since_ms = clock_monotonic_ms();
		client->deadline_ms = client->since_ms + http->settings.request_ms;
		client->is_allowed = !http->accepted_refused;
		TAILQ_INSERT_TAIL(&http->clients, client, place);
		http->client_count++;
		*socket_context = client;
		if (!uv_is_active((uv_handle_t *)&http->tick))
			uv_timer_start(&http->tick, on_tick, TICK_MS, TICK_MS);
		return;
	}
	*socket_context = NULL;
	if (!http->is_ending)
		mhdwatch_forget(http->watch, client->fd);
	TAILQ_REMOVE(&http->clients, client, place);
	http->client_count--;
	http->cut_count -= client->is_cut;
	free(client);
}

/* The time for the first request of a connection runs since it was accepted. */
static void begin_request(const struct http *http, struct client *client)
{
	if (!client->is_idle)
		return;
	client->is_idle = false;
	client->deadline_ms = clock_monotonic_ms() + http->settings.request_ms;
}

static void await_next_request(struct http *http, struct client *client)
{
	if (!http->settings.idle_ms)
		return;
	client->is_idle = true;
	client->sent_nul = false;
	client->deadline_ms = clock_monotonic_ms() + http->settings.idle_ms;
	TAILQ_REMOVE(&http->clients, client, place);
	TAILQ_INSERT_TAIL(&http->clients, client, place);
}

static struct http_request *request_new(
	struct http *http, struct MHD_Connection *connection, const char *method, const char *path)
{
	struct http_request *request = mem_alloc_zero(1, sizeof(*request));
	request->http = http;
	request->connection = connection;
	request->client = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
				  ->socket_context;
	begin_request(http, request->client);
	request->method = strcmp(method, MHD_HTTP_METHOD_HEAD) ? method : MHD_HTTP_METHOD_GET;
	request->path = path;
	buf_init(&request->body);
	buf_init(&request->waiting);
	LIST_INSERT_HEAD(&http->requests, request, of_http);
	return request;
}

static void tell_gone(struct http_request *request)
{
	void (*gone)(void *ctx) = mem_steal(request->gone);
	if (gone)
		gone(request->gone_ctx);
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **request_context,
	enum MHD_RequestTerminationCode code)
{
	(void)ctx;
	(void)connection;
	(void)code;
	struct http_request *request = *request_context;
	if (!request)
		return;
	*request_context = NULL;
	request->state = REQUEST_OVER;
	tell_gone(request);
	await_next_request(request->http, request->client);
	if (request->response)
		MHD_destroy_response(request->response);
	LIST_REMOVE(request, of_http);
	buf_fini(&request->body);
	buf_fini(&request->waiting);
	free(request);
}

static void add_headers(
	const struct http_request *request, struct MHD_Response *response, const char *type)
{
	if (!request->http->settings.idle_ms || request->is_too_large)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	for (unsigned i = 0; i < request->added_count; i++)
		MHD_add_response_header(response, request->added[i].name, request->added[i].value);
}

static void resume(struct http_request *request)
{
	if (!request->is_suspended)
		return;
	request->is_suspended = false;
	MHD_resume_connection(request->connection);
	/* Neither its descriptor nor its timeout says that libmicrohttpd has work now. */
	if (!request->http->is_ending)
		uv_timer_start(&request->http->pending, on_pending, 0, 0);
}

static void set_response(
	struct http_request *request, unsigned status, struct MHD_Response *response)
{
	assert(request->state == REQUEST_OPEN);
	if (!response)
		abort(); /* out of memory */
	request->gone = NULL;
	request->response = response;
	request->status = status;
	request->client->deadline_ms = clock_monotonic_ms() + request->http->settings.request_ms;
	request->state = REQUEST_ANSWERED;
	resume(request);
}

void http_add_header(struct http_request *request, const char *name, const char *value)
{
	assert(request->added_count < HTTP_ADDED_MAX);
	request->added[request->added_count].name = name;
	request->added[request->added_count++].value = value;
}

void http_answer(struct http_request *request, unsigned status, const char *type, struct buf *body)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		body->used, body->used ? body->data : (void *)"", MHD_RESPMEM_MUST_COPY);
	if (response)
		add_headers(request, response, type);
	buf_clear(body);
	set_response(request, status, response);
}

static void answer_text(struct http_request *request, unsigned status, const char *text)
{
	buf_auto struct buf body;
	buf_init(&body);
	buf_printf(&body, "{\"error\":\"%s\"}\n", text);
	http_answer(request, status, "application/json", &body);
}

static bool has_hung_up(const struct client *client)
{
	struct pollfd pollfd = {.fd = client->fd, .events = POLLRDHUP};
	return poll(&pollfd, 1, 0) == 1;
}

/* libmicrohttpd does not look at a connection whose request waits, so nothing else notices. */
static bool end_abandoned(struct http *http)
{
	struct http_request *request;
	bool any = false;
	LIST_FOREACH(request, &http->requests, of_http) {
		if (request->state != REQUEST_OPEN || !has_hung_up(request->client))
			continue;
		tell_gone(request);
		answer_text(request, MHD_HTTP_SERVICE_UNAVAILABLE, "the client is gone");
		cut(http, request->client);
		any = true;
	}
	return any;
}

static ssize_t read_stream(void *ctx, uint64_t position, char *to, size_t size)
{
	(void)position;
	struct http_request *request = ctx;
	struct buf *waiting = &request->waiting;
	if (waiting->used) {
		size_t n = waiting->used < size ? waiting->used : size;
		memcpy(to, waiting->data, n);
		buf_consume(waiting, n);
		return (ssize_t)n;
	}
	if (request->has_ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	request->is_suspended = true;
	MHD_suspend_connection(request->connection);
	return 0;
}

void http_stream(struct http_request *request, const char *type)
{
	assert(request->state == REQUEST_OPEN);
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, request, NULL);
	if (!response)
		abort(); /* out of memory */
	add_headers(request, response, type);
	request->response = response;
	request->status = MHD_HTTP_OK;
	request->client->deadline_ms = INT64_MAX;
	request->state = REQUEST_STREAMING;
	resume(request);
}

bool http_write(struct http_request *request, const void *bytes, size_t size)
{
	assert(request->state == REQUEST_STREAMING);
	if (size > HTTP_STREAM_MAX - request->waiting.used)
		return false;
	buf_append(&request->waiting, bytes, size);
	resume(request);
	return true;
}

static void end_stream(struct http_request *request)
{
	assert(request->state == REQUEST_STREAMING);
	request->gone = NULL;
	request->has_ended = true;
	request->client->deadline_ms = clock_monotonic_ms() + request->http->settings.request_ms;
	resume(request);
}

void http_defer(struct http_request *request, void (*gone)(void *ctx), void *ctx)
{
	request->gone = gone;
	request->gone_ctx = ctx;
}

static bool is_too_long(struct http_request *request)
{
	const char *text = MHD_lookup_connection_value(
		request->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
	return text && strtoull(text, NULL, 10) > request->http->settings.body_max;
}

static void dispatch(struct http_request *request)
{
	struct http *http = request->http;
	request->state = REQUEST_OPEN;
	request->client->deadline_ms = INT64_MAX;
	if (http->is_ending)
		answer_text(request, MHD_HTTP_SERVICE_UNAVAILABLE, "mailpushd is stopping");
	else if (!request->client->is_allowed)
		answer_text(request, MHD_HTTP_FORBIDDEN, "this user may not ask");
	else if (request->client->sent_nul)
		answer_text(request, MHD_HTTP_BAD_REQUEST, "a NUL (%00) is not allowed here");
	else if (request->is_too_large)
		answer_text(request, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large");
	else
		http->settings.came(http->settings.ctx, request);
}

static enum MHD_Result hand_over(struct http_request *request)
{
	struct MHD_Response *response = request->response;
	enum MHD_Result queued = MHD_queue_response(request->connection, request->status, response);
	request->response = NULL;
	MHD_destroy_response(response);
	return queued;
}

static enum MHD_Result on_access(void *ctx, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_size,
	void **request_context)
{
	(void)version;
	struct http_request *request = *request_context;
	if (!request) {
		request = *request_context = request_new(ctx, connection, method, url);
		request->is_too_large = is_too_long(request);
		if (!request->is_too_large)
			return MHD_YES;
		/* Answered before the body is sent. */
		dispatch(request);
		return hand_over(request);
	}
	if (*upload_size) {
		if (request->body.used + *upload_size > request->http->settings.body_max)
			request->is_too_large = true;
		else if (request->client->is_allowed)
			buf_append(&request->body, upload, *upload_size);
		*upload_size = 0;
		return MHD_YES;
	}
	if (request->state == REQUEST_COMING)
		dispatch(request);
	if (request->response)
		return hand_over(request);
	request->is_suspended = true;
	MHD_suspend_connection(connection);
	return MHD_YES;
}

const char *http_method(const struct http_request *request)
{
	return request->method;
}

const char *http_path(const struct http_request *request)
{
	return request->path;
}

const char *http_query(const struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *http_header(const struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *http_body(const struct http_request *request, size_t *ret_size)
{
	*ret_size = request->body.used;
	return buf_text((struct buf *)&request->body);
}

/*
 * Each path, and each argument's name and value.  They are C strings from here on.  A NUL that was
 * not escaped has ended them already: libmicrohttpd hides the bytes behind it.
 */
static size_t unescape(void *ctx, struct MHD_Connection *connection, char *text)
{
	(void)ctx;
	size_t size = MHD_http_unescape(text);
	struct client *client =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
			->socket_context;
	if (strlen(text) != size)
		client->sent_nul = true;
	return size;
}

static int start_mhd(struct http *http, struct err *err)
{
	http->mhd = MHD_start_daemon(mhdwatch_flags() | MHD_USE_NO_LISTEN_SOCKET |
			MHD_ALLOW_SUSPEND_RESUME | MHD_USE_PEDANTIC_CHECKS,
		0, NULL, NULL, on_access, http, MHD_OPTION_CONNECTION_LIMIT,
		http->settings.connections_max + SPARE, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)HTTP_HEADERS_MAX, MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, http, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, http, MHD_OPTION_END);
	if (!http->mhd)
		return err_set(err, -EIO, "cannot start the HTTP server: no descriptor or memory");
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct http *http = handle->data;
	if (!--http->handles)
		free(http);
}

int http_new(
	uv_loop_t *loop, const struct http_settings *settings, struct http **ret, struct err *err)
{
	struct http *http = mem_alloc_zero(1, sizeof(*http));
	http->settings = *settings;
	TAILQ_INIT(&http->clients);
	LIST_INIT(&http->requests);
	int status = start_mhd(http, err);
	if (!status && listen(settings->listener, BACKLOG) < 0) {
		status = err_set(err, -errno, "cannot listen: %s", strerror(errno));
		MHD_stop_daemon(http->mhd);
	}
	if (status) {
		free(http);
		return status;
	}
	uv_poll_init(loop, &http->listener, settings->listener);
	uv_timer_init(loop, &http->pending);
	uv_timer_init(loop, &http->tick);
	http->listener.data = http->pending.data = http->tick.data = http;
	http->handles = HANDLES;
	uv_poll_start(&http->listener, UV_READABLE, on_listener);
	http->watch = mhdwatch_new(loop, http->mhd, on_due, http);
	*ret = http;
	return 0;
}

int http_listen_anew(struct http *http, int listener, struct err *err)
{
	if (listen(listener, BACKLOG) < 0) {
		int code = errno;
		close(listener);
		return err_set(err, -code, "cannot listen: %s", strerror(code));
	}
	uv_poll_stop(&http->listener);
	/* Keeps the descriptor's number, which the loop knows. */
	dup3(listener, http->settings.listener, O_CLOEXEC);
	close(listener);
	uv_poll_start(&http->listener, UV_READABLE, on_listener);
	return 0;
}

void http_free(struct http *http)
{
	if (!http)
		return;
	http->is_ending = true;
	uv_poll_stop(&http->listener);
	mhdwatch_free(http->watch);
	close(http->settings.listener);
	struct http_request *request;
	LIST_FOREACH(request, &http->requests, of_http) {
		tell_gone(request);
		if (request->state == REQUEST_OPEN)
			answer_text(request, MHD_HTTP_SERVICE_UNAVAILABLE, "mailpushd is stopping");
		else if (request->state == REQUEST_STREAMING && !request->has_ended)
			end_stream(request);
	}
	/* Sends what the sockets take at once. */
	MHD_run(http->mhd);
	MHD_run(http->mhd);
	MHD_stop_daemon(http->mhd);
	uv_close((uv_handle_t *)&http->listener, on_closed);
	uv_close((uv_handle_t *)&http->pending, on_closed);
	uv_close((uv_handle_t *)&http->tick, on_closed);
}
