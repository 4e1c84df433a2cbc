#include "apns/session.h"

#include "apns/answer.h"
#include "apns/pool.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <string.h>

#define STREAM_IDS_LEFT 100000
#define REFUSALS_MAX 3
#define BODY_ESTIMATE_MIN 64
#define PATH "/3/device/"
#define TOKEN_MAX 256
#define APNS_ID_SIZE 37 /* canonical UUID and a NUL */

TAILQ_HEAD(push_list, sender_push);

struct session {
	nghttp2_session *http2;
	struct pool *pool; /* nghttp2's memory */
	const char *authority;
	int priority;

	struct push_list out; /* in flight, in the order in which they were pushed */
	struct push_list finished;
	size_t in_flight;

	bool has_settings;
	bool is_acknowledged;
	bool has_goaway;
	struct session_goaway goaway;

	size_t refused_limit;	   /* learnt from refused streams; grows with each answer */
	unsigned refusals;	   /* in a row, while alone on the connection */
	size_t unsent;		   /* bytes of bodies that wait for a window */
	size_t body_estimate;	   /* bytes */
	bool is_name_indexed;	   /* the peer's table has the names apns-id and apns-expiration */
	int64_t expiration_unix_s; /* of `expiration`: the same for all pushes of a second */
	char expiration[24];
	size_t expiration_size;
};

static void finish(struct session *session, struct sender_push *push, enum apns_ending ending)
{
	TAILQ_REMOVE(&session->out, push, place);
	session->in_flight--;
	session->unsent -= push->payload_size - push->payload_sent;
	if (ending != APNS_ANSWERED)
		answer_init(&push->answer, ending);
	TAILQ_INSERT_TAIL(&session->finished, push, place);
}

static void finish_answered(struct session *session, struct sender_push *push)
{
	if (push->answer.status != 200)
		answer_read_body(&push->answer, push->body, push->body_size);
	session->refusals = 0;
	if (session->refused_limit < SESSION_STREAMS_MAX)
		session->refused_limit++;
	finish(session, push, APNS_ANSWERED);
}

/* Before its stream ended; an answer that is complete counts all the same. */
static void finish_early(struct session *session, struct sender_push *push, enum apns_ending ending)
{
	if (push->is_complete)
		finish_answered(session, push);
	else
		finish(session, push, ending);
}

/* The peer wants fewer streams than it announced: fewer than now, then slowly more. */
static void finish_refused(struct session *session, struct sender_push *push)
{
	finish(session, push, APNS_NOT_PROCESSED);
	if (session->in_flight == 0)
		session->refusals++;
	session->refused_limit = session->in_flight > 1 ? session->in_flight : 1;
}

static struct sender_push *push_of(nghttp2_session *http2, int32_t stream_id)
{
	return nghttp2_session_get_stream_user_data(http2, stream_id);
}

static int on_header(nghttp2_session *http2, const nghttp2_frame *frame, const uint8_t *name,
	size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags, void *ctx)
{
	(void)flags;
	(void)ctx;
	/* Runs for each header of every answer, so it looks up only names that matter. */
	if (name_size != sizeof(":status") - 1 && name_size != sizeof("retry-after") - 1)
		return 0;
	struct sender_push *push = push_of(http2, frame->hd.stream_id);
	if (push)
		answer_read_header(&push->answer, (const char *)name, name_size,
			(const char *)value, value_size);
	return 0;
}

static int on_body(nghttp2_session *http2, uint8_t flags, int32_t stream_id, const uint8_t *bytes,
	size_t size, void *ctx)
{
	struct sender_push *push = push_of(http2, stream_id);
	(void)flags;
	(void)ctx;
	if (!push || push->is_cut)
		return 0;
	size_t room = sizeof(push->body) - push->body_size;
	size_t taken = size < room ? size : room;
	memcpy(push->body + push->body_size, bytes, taken);
	push->body_size += taken;
	if (taken < size) {
		/* The status is known; the rest of the body does not matter. */
		push->is_cut = true;
		push->is_complete = push->answer.status >= 200;
		nghttp2_submit_rst_stream(http2, NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_CANCEL);
	}
	return 0;
}

static void take_goaway(struct session *session, const nghttp2_goaway *frame)
{
	struct apns_answer said;
	answer_init(&said, APNS_ANSWERED);
	answer_read_body(&said, (const char *)frame->opaque_data, frame->opaque_data_len);
	session->has_goaway = true;
	session->goaway.error_code = frame->error_code;
	memcpy(session->goaway.reason, said.reason, sizeof(said.reason));

	/* Ids grow, so the pushes not processed are at the end. */
	struct sender_push *push;
	while ((push = TAILQ_LAST(&session->out, push_list)) &&
		push->stream_id > frame->last_stream_id) {
		nghttp2_session_set_stream_user_data(session->http2, push->stream_id, NULL);
		finish(session, push, APNS_NOT_PROCESSED);
	}
}

static void take_end_of_answer(struct session *session, int32_t stream_id)
{
	struct sender_push *push = push_of(session->http2, stream_id);
	if (!push)
		return;
	push->is_complete = push->answer.status >= 200;
	/* Answered before all was sent: the rest does not matter, so the stream ends here. */
	if (push->payload_sent < push->payload_size)
		nghttp2_submit_rst_stream(
			session->http2, NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_NO_ERROR);
}

static int on_frame(nghttp2_session *http2, const nghttp2_frame *frame, void *ctx)
{
	struct session *session = ctx;
	(void)http2;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
	case NGHTTP2_DATA:
		if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
			take_end_of_answer(session, frame->hd.stream_id);
		break;
	case NGHTTP2_SETTINGS:
		if (frame->hd.flags & NGHTTP2_FLAG_ACK)
			session->is_acknowledged = true;
		else
			session->has_settings = true;
		break;
	case NGHTTP2_GOAWAY:
		take_goaway(session, &frame->goaway);
		break;
	default:
		break;
	}
	return 0;
}

static int on_stream_closed(
	nghttp2_session *http2, int32_t stream_id, uint32_t error_code, void *ctx)
{
	struct session *session = ctx;
	struct sender_push *push = push_of(http2, stream_id);
	if (!push)
		return 0;
	if (push->is_complete)
		finish_answered(session, push);
	else if (error_code == NGHTTP2_REFUSED_STREAM)
		finish_refused(session, push);
	else
		finish(session, push, APNS_LOST);
	return 0;
}

/* nghttp2 could not begin the request any more, for example after a GOAWAY. */
static int on_not_sent(
	nghttp2_session *http2, const nghttp2_frame *frame, int lib_error_code, void *ctx)
{
	struct session *session = ctx;
	(void)lib_error_code;
	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	struct sender_push *push = push_of(http2, frame->hd.stream_id);
	if (push) {
		nghttp2_session_set_stream_user_data(http2, frame->hd.stream_id, NULL);
		finish(session, push, APNS_NOT_PROCESSED);
	}
	return 0;
}

/*
 * Copies at most `length`: less than the whole body fits when a window is nearly used up.  The push
 * is looked up, not taken from `source`: it may have been given up meanwhile.
 */
static ssize_t on_read_body(nghttp2_session *http2, int32_t stream_id, uint8_t *into, size_t length,
	uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
	struct session *session = ctx;
	struct sender_push *push = push_of(http2, stream_id);
	(void)source;
	if (!push)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	size_t left = push->payload_size - push->payload_sent;
	size_t n = left < length ? left : length;
	memcpy(into, push->payload + push->payload_sent, n);
	push->payload_sent += n;
	session->unsent -= n;
	if (n == left)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static nghttp2_session *new_http2(struct session *session)
{
	nghttp2_mem memory = {session->pool, pool_malloc, pool_release, pool_calloc, pool_realloc};
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	nghttp2_session *http2;

	if (nghttp2_session_callbacks_new(&callbacks) || nghttp2_option_new(&option))
		abort();
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_body);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_closed);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_not_sent);
	nghttp2_option_set_no_closed_streams(option, 1);
	/* Only the status of an answer counts, and answer.c checks it: this saves a sixth of the
	 * CPU a push. */
	nghttp2_option_set_no_http_messaging(option, 1);
	if (nghttp2_session_client_new3(&http2, callbacks, session, option, &memory))
		abort();
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	return http2;
}

struct session *session_new(const char *authority, int priority)
{
	static const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
	struct session *session = mem_alloc_zero(1, sizeof(*session));
	session->authority = authority;
	session->priority = priority;
	TAILQ_INIT(&session->out);
	TAILQ_INIT(&session->finished);
	session->refused_limit = SESSION_STREAMS_MAX;
	session->body_estimate = BODY_ESTIMATE_MIN;
	session->pool = pool_new();
	session->http2 = new_http2(session);
	if (nghttp2_submit_settings(session->http2, NGHTTP2_FLAG_NONE, settings, 1))
		abort();
	return session;
}

void session_begin_at(struct session *session, int32_t stream_id)
{
	if (nghttp2_session_set_next_stream_id(session->http2, stream_id))
		abort();
}

void session_free(struct session *session)
{
	if (!session)
		return;
	assert(TAILQ_EMPTY(&session->out) && TAILQ_EMPTY(&session->finished));
	nghttp2_session_del(session->http2);
	pool_free(session->pool);
	free(session);
}

static int broken(struct err *err, ssize_t code)
{
	return err_set(err, -EPROTO, "HTTP/2 failed: %s", nghttp2_strerror((int)code));
}

int session_receive(struct session *session, const uint8_t *bytes, size_t size, struct err *err)
{
	ssize_t n = nghttp2_session_mem_recv(session->http2, bytes, size);
	return n < 0 ? broken(err, n) : 0;
}

int session_gather(struct session *session, struct buf *out, size_t enough, struct err *err)
{
	while (out->used < enough) {
		const uint8_t *bytes;
		ssize_t n = nghttp2_session_mem_send(session->http2, &bytes);
		if (n < 0)
			return broken(err, n);
		if (n == 0)
			break;
		buf_append(out, bytes, (size_t)n);
	}
	return 0;
}

bool session_is_over(const struct session *session)
{
	return !nghttp2_session_want_read(session->http2) &&
		!nghttp2_session_want_write(session->http2);
}

bool session_is_acknowledged(const struct session *session)
{
	return session->is_acknowledged;
}

const struct session_goaway *session_goaway(const struct session *session)
{
	return session->has_goaway ? &session->goaway : NULL;
}

size_t session_limit(const struct session *session)
{
	if (!session->has_settings)
		return 1;
	size_t limit = nghttp2_session_get_remote_settings(
		session->http2, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
	if (limit > SESSION_STREAMS_MAX)
		limit = SESSION_STREAMS_MAX;
	return limit < session->refused_limit ? limit : session->refused_limit;
}

/* A push that would wait for a window waits better in the queue. */
static size_t room_of_window(const struct session *session)
{
	int64_t window = nghttp2_session_get_remote_window_size(session->http2);
	int64_t left = window - (int64_t)session->unsent;
	return left > 0 ? (size_t)left / session->body_estimate : 0;
}

size_t session_room(const struct session *session)
{
	size_t limit = session_limit(session);
	if (session->has_goaway || session->in_flight >= limit)
		return 0;
	size_t streams = limit - session->in_flight;
	size_t window = room_of_window(session);
	if (window == 0 && session->in_flight == 0)
		window = 1;
	return streams < window ? streams : window;
}

size_t session_in_flight(const struct session *session)
{
	return session->in_flight;
}

bool session_is_refusing(const struct session *session)
{
	return session->refusals >= REFUSALS_MAX;
}

bool session_is_worn(const struct session *session)
{
	return nghttp2_session_get_next_stream_id(session->http2) > INT32_MAX - STREAM_IDS_LEFT;
}

static void write_apns_id(char ret[APNS_ID_SIZE], const uint8_t id[16])
{
	static const char digits[] = "0123456789abcdef";
	char *at = ret;
	for (unsigned i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = digits[id[i] >> 4];
		*at++ = digits[id[i] & 15];
	}
	*at = '\0';
}

static void write_expiration(struct session *session, int64_t unix_s)
{
	session->expiration_unix_s = unix_s;
	session->expiration_size = (size_t)snprintf(
		session->expiration, sizeof(session->expiration), "%lld", (long long)unix_s);
}

static nghttp2_nv field(
	const char *name, size_t name_size, const char *value, size_t value_size, uint8_t flags)
{
	return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
		.namelen = name_size,
		.value = (uint8_t *)(uintptr_t)value,
		.valuelen = value_size,
		.flags = (uint8_t)(flags | NGHTTP2_NV_FLAG_NO_COPY_NAME)};
}

#define FIELD(name, value, value_size, flags) \
	field((name), sizeof(name) - 1, (value), (value_size), (flags))
#define FIXED_FIELD(name, value) \
	FIELD(name, value, sizeof(value) - 1, NGHTTP2_NV_FLAG_NO_COPY_VALUE)

static void submit(struct session *session, struct sender_push *push)
{
	char path[sizeof(PATH) + TOKEN_MAX];
	char apns_id[APNS_ID_SIZE];
	char priority[12];

	size_t token_size = strlen(push->token);
	assert(token_size <= TOKEN_MAX);
	memcpy(path, PATH, sizeof(PATH) - 1);
	memcpy(path + sizeof(PATH) - 1, push->token, token_size);
	write_apns_id(apns_id, push->apns_id);
	if (session->expiration_size == 0 || session->expiration_unix_s != push->expiration_unix_s)
		write_expiration(session, push->expiration_unix_s);

	/* Apple: indexed once, so that the name is in the table, then without indexing. */
	uint8_t unindexed =
		session->is_name_indexed ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
	nghttp2_nv fields[11] = {
		FIXED_FIELD(":method", "POST"),
		FIXED_FIELD(":scheme", "https"),
		FIELD(":path", path, sizeof(PATH) - 1 + token_size, NGHTTP2_NV_FLAG_NONE),
		FIELD(":authority", session->authority, strlen(session->authority),
			NGHTTP2_NV_FLAG_NO_COPY_VALUE),
		FIELD("apns-topic", push->topic, strlen(push->topic), NGHTTP2_NV_FLAG_NONE),
		FIXED_FIELD("apns-push-type", "background"),
		FIELD("apns-expiration", session->expiration, session->expiration_size, unindexed),
		FIELD("apns-id", apns_id, sizeof(apns_id) - 1, unindexed),
		FIXED_FIELD("content-type", "application/json"),
	};
	size_t count = 9;
	/* A secret that changes every hour does not belong in a table of headers. */
	if (push->authorization)
		fields[count++] = FIELD("authorization", push->authorization,
			strlen(push->authorization), NGHTTP2_NV_FLAG_NO_INDEX);
	if (session->priority != 0) {
		int size = snprintf(priority, sizeof(priority), "%d", session->priority);
		fields[count++] =
			FIELD("apns-priority", priority, (size_t)size, NGHTTP2_NV_FLAG_NONE);
	}
	const nghttp2_data_provider body = {.read_callback = on_read_body};
	int32_t id = nghttp2_submit_request(session->http2, NULL, fields, count, &body, push);
	assert(id > 0); /* ids are left (session_is_worn), and memory never fails */
	push->stream_id = id;
	session->is_name_indexed = true;
}

void session_push(struct session *session, struct sender_push *push)
{
	assert(push->payload_size > 0 && push->payload_size <= PAYLOAD_MAX);
	answer_init(&push->answer, APNS_ANSWERED);
	push->body_size = 0;
	push->payload_sent = 0;
	push->is_complete = false;
	push->is_cut = false;

	TAILQ_INSERT_TAIL(&session->out, push, place);
	session->in_flight++;
	session->unsent += push->payload_size;
	session->body_estimate =
		push->payload_size > BODY_ESTIMATE_MIN ? push->payload_size : BODY_ESTIMATE_MIN;
	submit(session, push);
}

struct sender_push *session_oldest(const struct session *session)
{
	return TAILQ_FIRST(&session->out);
}

void session_give_up(struct session *session, struct sender_push *push, enum apns_ending ending)
{
	nghttp2_session_set_stream_user_data(session->http2, push->stream_id, NULL);
	nghttp2_submit_rst_stream(
		session->http2, NGHTTP2_FLAG_NONE, push->stream_id, NGHTTP2_CANCEL);
	finish_early(session, push, ending);
}

void session_lose(struct session *session)
{
	for (struct sender_push *push; (push = TAILQ_FIRST(&session->out));) {
		nghttp2_session_set_stream_user_data(session->http2, push->stream_id, NULL);
		finish_early(session, push, APNS_LOST);
	}
}

struct sender_push *session_take_finished(struct session *session)
{
	struct sender_push *push = TAILQ_FIRST(&session->finished);
	if (push)
		TAILQ_REMOVE(&session->finished, push, place);
	return push;
}

bool session_has_finished(const struct session *session)
{
	return !TAILQ_EMPTY(&session->finished);
}

void session_ping(struct session *session)
{
	nghttp2_submit_ping(session->http2, NGHTTP2_FLAG_NONE, NULL);
}

void session_leave(struct session *session)
{
	nghttp2_submit_goaway(session->http2, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, NULL, 0);
}
