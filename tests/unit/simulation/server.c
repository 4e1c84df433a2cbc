#include "server.h"

#include "apns/payload.h"
#include "apple.h"
#include "base/clock.h"
#include "base/mem.h"
#include "dice.h"
#include "judge/judge.h"
#include "sending.h"
#include "virtual.h"
#include "weather.h"
#include "wire.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW 65535
#define LIMIT 1000
#define DEADLINE_MS 20000
#define PATH "/3/device/"
#define ROOM_FOR_A_PUSH 8192
#define LUMP_MAX 60000 /* the rest of the window exceeds a push */
#define BODY_MAX 1024

enum manner { PROMPT, LUMPS, CRUMBS, STALLED };

struct request {
	struct request *next;
	int32_t stream_id;
	char token[80];
	char topic[80];
	char apns_id[37];
	char body[PAYLOAD_MAX];
	size_t body_size;
	bool is_whole;
	bool is_answered;
	bool is_reset;	/* by us */
	bool was_stuck; /* waited for its own window */
	char answer[BODY_MAX];
	size_t answer_size, answer_sent;
};

struct server {
	struct wire *wire;
	nghttp2_session *http2;
	struct request *requests;
	size_t request_count;
	enum manner manner;
	size_t lump;
	size_t owed; /* bytes of the connection's window not given back */
	uint32_t limit, stream_window;
	int32_t newest_stream_id; /* of the streams that began, refused ones too */
	bool is_giving;
	bool is_silent; /* for good */
	bool is_paused;
	bool is_leaving;
};

struct server_counts server_counts;

static void flush(struct server *server)
{
	const uint8_t *bytes;
	ssize_t n;
	if (server->is_silent)
		return;
	while ((n = nghttp2_session_mem_send(server->http2, &bytes)) > 0)
		wire_send(server->wire, bytes, (size_t)n);
	judge_rule(n >= 0, "a server can say what it has to");
}

static void later(struct server *server, int64_t ms, virtual_fn *fn)
{
	virtual_in(ms, fn, NULL, wire_number(server->wire));
}

static struct server *server_of(uint64_t wire_number)
{
	struct wire *wire = wire_find(wire_number);
	return wire ? wire_server(wire) : NULL;
}

static struct request *request_of(const struct server *server, int32_t stream_id)
{
	return nghttp2_session_get_stream_user_data(server->http2, stream_id);
}

/* Settings and windows. */

static void submit_settings(struct server *server)
{
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, server->limit},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, server->stream_window}};
	nghttp2_submit_settings(server->http2, NGHTTP2_FLAG_NONE, settings, 2);
	server_counts.settings++;
}

static bool is_stuck(const struct server *server, struct request *request)
{
	bool is_stuck = !request->is_whole &&
		nghttp2_session_get_stream_local_window_size(server->http2, request->stream_id) <=
			0;
	request->was_stuck = request->was_stuck || is_stuck;
	return is_stuck;
}

static void on_give(void *ctx, uint64_t number);

static void give_soon(struct server *server)
{
	if (server->is_giving)
		return;
	server->is_giving = true;
	later(server, server->manner == PROMPT ? dice_between(0, 20) : dice_between(5, 1500),
		on_give);
}

static void give_window(struct server *server)
{
	size_t size = server->owed;
	if (server->manner == STALLED || !size)
		return;
	if (server->manner == CRUMBS) {
		size_t crumb = dice_once_in(3) ? 1 : 1 + dice_roll(500);
		size = crumb < size ? crumb : size;
		server_counts.crumbs++;
	} else if (server->manner == LUMPS && size < server->lump) {
		return;
	}
	nghttp2_submit_window_update(server->http2, NGHTTP2_FLAG_NONE, 0, (int32_t)size);
	server->owed -= size;
}

static void on_give(void *ctx, uint64_t number)
{
	(void)ctx;
	struct server *server = server_of(number);
	if (!server)
		return;
	server->is_giving = false;
	give_window(server);
	bool has_stuck = false;
	for (struct request *request = server->requests; request; request = request->next) {
		if (!is_stuck(server, request))
			continue;
		has_stuck = true;
		if (server->manner != STALLED)
			nghttp2_submit_window_update(server->http2, NGHTTP2_FLAG_NONE,
				request->stream_id,
				server->manner == CRUMBS ? 1 + (int32_t)dice_roll(600) : 5000);
	}
	flush(server);
	bool is_owing = server->owed &&
		(server->manner == CRUMBS ||
			(server->manner == LUMPS && server->owed >= server->lump));
	if (has_stuck || is_owing)
		give_soon(server);
}

/* Temper. */

static void become_kind(struct server *server)
{
	server->manner = PROMPT;
	server->limit = LIMIT;
	server->stream_window = WINDOW;
	server->is_paused = false;
	submit_settings(server);
	give_soon(server);
	wire_resume(server->wire);
}

static void on_kind_again(void *ctx, uint64_t number)
{
	(void)ctx;
	struct server *server = server_of(number);
	if (!server || weather_of(wire_topic(server->wire)) == WEATHER_STINGY)
		return;
	become_kind(server);
	flush(server);
}

static void become_unkind(struct server *server)
{
	static const uint32_t limits[] = {0, 1, 1, 3, 10, LIMIT, LIMIT, LIMIT};
	static const uint32_t windows[] = {0, 1, 10, 300, WINDOW, WINDOW, WINDOW, 1000000};
	static const enum manner manners[] = {PROMPT, LUMPS, CRUMBS, CRUMBS, STALLED};
	server->manner = manners[dice_roll(5)];
	server->lump = 1 + dice_roll(dice_once_in(3) ? WINDOW : LUMP_MAX);
	server->limit = limits[dice_roll(8)];
	server->stream_window = windows[dice_roll(8)];
	server->is_paused = dice_once_in(8);
	submit_settings(server);
	give_soon(server);
	later(server, dice_wait_ms(15 * CLOCK_SECOND_MS), on_kind_again);
}

/* Streams after some stream are ignored from now on. */
static void leave(struct server *server)
{
	static const char *const reasons[] = {
		"", "{\"reason\":\"Shutdown\"}", "{\"reason\":\"IdleTimeout\"}", "good bye"};
	const char *reason = reasons[dice_roll(4)];
	int32_t last = nghttp2_session_get_last_proc_stream_id(server->http2);
	int32_t from = last;
	/* Streams in progress may be ignored too, but not answered ones. */
	for (const struct request *request = server->requests; request; request = request->next) {
		if (!request->is_answered && !request->is_reset && request->stream_id < from)
			from = request->stream_id;
	}
	if (dice_roll(2))
		last = from - 2 + 2 * (int32_t)dice_roll((unsigned)(last - from) / 2 + 2);
	if (last < 0)
		last = 0;
	nghttp2_submit_goaway(server->http2, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR,
		(const uint8_t *)reason, strlen(reason));
	server->is_leaving = true;
	server_counts.goaways++;
}

static void on_left(void *ctx, uint64_t number)
{
	(void)ctx;
	struct server *server = server_of(number);
	if (server)
		wire_end(server->wire, dice_roll(2));
}

static void on_mood(void *ctx, uint64_t number)
{
	(void)ctx;
	struct server *server = server_of(number);
	if (!server || weather_is_clear() || server->is_leaving || server->is_silent)
		return;
	sending_note_trouble(wire_topic(server->wire));
	unsigned what = dice_roll(20);
	if (what < 12) {
		become_unkind(server);
	} else if (what < 16) {
		leave(server);
		if (dice_roll(2))
			later(server, dice_wait_ms(10 * CLOCK_SECOND_MS), on_left);
	} else if (what == 16) {
		server->is_silent = true;
		server_counts.silences++;
	} else if (what == 17) {
		wire_end(server->wire, dice_roll(2));
		return;
	} else {
		nghttp2_submit_ping(server->http2, NGHTTP2_FLAG_NONE, NULL);
	}
	flush(server);
	later(server, dice_wait_ms(20 * CLOCK_MINUTE_MS), on_mood);
}

void server_weather_changed(struct server *server)
{
	if (weather_of(wire_topic(server->wire)) == WEATHER_STINGY)
		become_unkind(server);
	else
		become_kind(server);
	flush(server);
}

static void on_first_settings(void *ctx, uint64_t number)
{
	(void)ctx;
	struct server *server = server_of(number);
	if (!server)
		return;
	submit_settings(server);
	if (weather_of(wire_topic(server->wire)) == WEATHER_STINGY)
		become_unkind(server);
	flush(server);
}

/* Answers. */

static ssize_t on_read_answer(nghttp2_session *http2, int32_t stream_id, uint8_t *into, size_t room,
	uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
	struct request *request = source->ptr;
	(void)http2;
	(void)stream_id;
	(void)ctx;
	size_t left = request->answer_size - request->answer_sent;
	size_t n = left < room ? left : room;
	memcpy(into, request->answer + request->answer_sent, n);
	request->answer_sent += n;
	if (n == left)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static void write_body(struct request *request, const struct apns_answer *said)
{
	if (said->status == 200)
		return;
	int size = 0;
	if (said->timestamp_unix_ms)
		size = snprintf(request->answer, BODY_MAX, "{\"reason\":\"%s\",\"timestamp\":%lld}",
			said->reason, (long long)said->timestamp_unix_ms);
	else if (said->reason[0])
		size = snprintf(request->answer, BODY_MAX, "{\"reason\":\"%s\"}", said->reason);
	else if (dice_roll(2)) /* something other than JSON, and too long */
		size = snprintf(request->answer, BODY_MAX, "%0*d", 400 + (int)dice_roll(600), 0);
	request->answer_size = (size_t)size;
}

static nghttp2_nv field(const char *name, const char *value)
{
	return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
		.namelen = strlen(name),
		.value = (uint8_t *)(uintptr_t)value,
		.valuelen = strlen(value)};
}

static void say(struct server *server, struct request *request, const struct apns_answer *said)
{
	char status[8];
	char after[24];
	snprintf(status, sizeof(status), "%d", said->status);
	nghttp2_nv fields[3] = {field(":status", status), field("apns-id", request->apns_id)};
	size_t count = 2;
	if (said->retry_after_ms >= 0) {
		snprintf(after, sizeof(after), "%lld", (long long)said->retry_after_ms / 1000);
		fields[count++] = field("retry-after", after);
	}
	request->is_answered = true;
	write_body(request, said);
	const nghttp2_data_provider body = {
		.source = {.ptr = request}, .read_callback = on_read_answer};
	nghttp2_submit_response(server->http2, request->stream_id, fields, count,
		request->answer_size ? &body : NULL);
}

/* The stream or connection ends without an answer, in one of several ways. */
static void fail(struct server *server, struct request *request)
{
	switch (dice_roll(4)) {
	case 0:
		request->is_reset = true;
		nghttp2_submit_rst_stream(server->http2, NGHTTP2_FLAG_NONE, request->stream_id,
			NGHTTP2_INTERNAL_ERROR);
		break;
	case 1:
		leave(server);
		break;
	case 2:
		break; /* it is never answered */
	default:
		wire_end(server->wire, true);
	}
}

static struct flight *flight_of(const struct server *server, const struct request *request)
{
	return sending_find(wire_near_end(server->wire), request->stream_id);
}

static void on_answer(void *ctx, uint64_t stream_id)
{
	struct server *server = server_of((uint64_t)(uintptr_t)ctx);
	struct request *request = server ? request_of(server, (int32_t)stream_id) : NULL;
	struct flight *flight = request ? flight_of(server, request) : NULL;
	/* The daemon ignores answers to pushes that it gave up. */
	if (!flight || flight->is_answered || request->is_reset || server->is_silent)
		return;
	struct apns_answer said = {.ending = APNS_ANSWERED, .retry_after_ms = -1};
	enum apple_meaning meaning;
	if (!apple_decide(flight, &said, &meaning)) {
		sending_note_trouble(flight->topic);
		fail(server, request);
	} else {
		flight->is_answered = true;
		flight->meaning = meaning;
		flight->said = said;
		say(server, request, &said);
	}
	flush(server);
}

static void answer_later(struct server *server, const struct request *request)
{
	virtual_in(apple_takes_ms(wire_topic(server->wire)), on_answer,
		(void *)(uintptr_t)wire_number(server->wire), (uint64_t)request->stream_id);
}

/* Requests. */

static int on_begin_frame(nghttp2_session *http2, const nghttp2_frame_hd *head, void *ctx)
{
	struct server *server = ctx;
	(void)http2;
	if (head->type == NGHTTP2_HEADERS && head->stream_id > server->newest_stream_id)
		server->newest_stream_id = head->stream_id;
	return 0;
}

static int on_begin(nghttp2_session *http2, const nghttp2_frame *frame, void *ctx)
{
	struct server *server = ctx;
	struct request *request = mem_alloc_zero(1, sizeof(*request));
	request->stream_id = frame->hd.stream_id;
	request->next = server->requests;
	server->requests = request;
	server->request_count++;
	nghttp2_session_set_stream_user_data(http2, request->stream_id, request);
	return 0;
}

static void take_field(char *into, size_t room, const uint8_t *value, size_t size)
{
	judge_rule(size < room, "a header has a bound");
	memcpy(into, value, size);
	into[size] = '\0';
}

static int on_header(nghttp2_session *http2, const nghttp2_frame *frame, const uint8_t *name,
	size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags, void *ctx)
{
	struct request *request = nghttp2_session_get_stream_user_data(http2, frame->hd.stream_id);
	const size_t path = strlen(PATH);
	(void)flags;
	(void)ctx;
	if (!request)
		return 0;
	if (name_size == 5 && !memcmp(name, ":path", 5) && value_size > path)
		take_field(request->token, sizeof(request->token), value + path, value_size - path);
	else if (name_size == 10 && !memcmp(name, "apns-topic", 10))
		take_field(request->topic, sizeof(request->topic), value, value_size);
	else if (name_size == 7 && !memcmp(name, "apns-id", 7))
		take_field(request->apns_id, sizeof(request->apns_id), value, value_size);
	return 0;
}

static int on_body(nghttp2_session *http2, uint8_t flags, int32_t stream_id, const uint8_t *bytes,
	size_t size, void *ctx)
{
	struct server *server = ctx;
	struct request *request = nghttp2_session_get_stream_user_data(http2, stream_id);
	(void)flags;
	server->owed += size;
	if (server->manner != STALLED)
		give_soon(server);
	if (!request)
		return 0;
	judge_rule(request->body_size + size <= PAYLOAD_MAX, "a payload has a bound");
	memcpy(request->body + request->body_size, bytes, size);
	request->body_size += size;
	return 0;
}

static void check_request(const struct request *request, const struct flight *flight)
{
	const struct sender_push *push = flight->push;
	judge_rule(!strcmp(request->token, push->token) && !strcmp(request->topic, push->topic) &&
			request->body_size == push->payload_size &&
			!memcmp(request->body, push->payload, push->payload_size),
		"a push comes as it was given");
}

static void take_request(struct server *server, struct request *request)
{
	struct flight *flight = flight_of(server, request);
	request->is_whole = true;
	if (!flight)
		return;
	check_request(request, flight);
	flight->has_come = true;
	if (weather_of(flight->topic) == WEATHER_LOSING)
		wire_end(server->wire, true);
	else
		answer_later(server, request);
}

static void refuse(struct server *server, struct request *request)
{
	request->is_reset = true;
	nghttp2_submit_rst_stream(
		server->http2, NGHTTP2_FLAG_NONE, request->stream_id, NGHTTP2_REFUSED_STREAM);
	sending_note_trouble(wire_topic(server->wire));
	server_counts.refused++;
}

static void begin_request(struct server *server, struct request *request)
{
	bool is_stingy = weather_of(wire_topic(server->wire)) == WEATHER_STINGY;
	if (weather_is_clear())
		return;
	if (dice_once_in(is_stingy ? 4 : 1000)) {
		refuse(server, request);
	} else if (!request->is_whole && dice_once_in(200)) {
		/* An answer may come after the headers alone. */
		answer_later(server, request);
		server_counts.early++;
	}
}

static int on_frame(nghttp2_session *http2, const nghttp2_frame *frame, void *ctx)
{
	struct server *server = ctx;
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	struct request *request = nghttp2_session_get_stream_user_data(http2, frame->hd.stream_id);
	if (request && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		take_request(server, request);
	else if (request && is_stuck(server, request))
		give_soon(server);
	if (request && frame->hd.type == NGHTTP2_HEADERS)
		begin_request(server, request);
	return 0;
}

static int on_closed(nghttp2_session *http2, int32_t stream_id, uint32_t error_code, void *ctx)
{
	struct server *server = ctx;
	struct request *closed = nghttp2_session_get_stream_user_data(http2, stream_id);
	(void)error_code;
	if (!closed)
		return 0;
	struct request **at = &server->requests;
	while (*at != closed)
		at = &(*at)->next;
	*at = closed->next;
	server->request_count--;
	free(closed);
	return 0;
}

/* These errors of nghttp2's server mean that the daemon broke the rules. */
static int on_said(nghttp2_session *http2, const nghttp2_frame *frame, void *ctx)
{
	(void)http2;
	(void)ctx;
	judge_rule(frame->hd.type != NGHTTP2_GOAWAY || !frame->goaway.error_code,
		"the daemon keeps the rules of HTTP/2");
	judge_rule(frame->hd.type != NGHTTP2_RST_STREAM ||
			frame->rst_stream.error_code == NGHTTP2_REFUSED_STREAM ||
			frame->rst_stream.error_code == NGHTTP2_INTERNAL_ERROR ||
			frame->rst_stream.error_code == NGHTTP2_NO_ERROR,
		"the daemon keeps a stream's and a window's limits");
	return 0;
}

/*
 * When all bytes of the daemon have arrived, a push that was given to this connection and has not
 * arrived waits in the daemon for a stream or for the connection's window.  Only one push may.
 * Waiting for its own stream's window is allowed: nobody can foresee that window.
 */
static void check_waiting(const struct server *server)
{
	const void *near_end = wire_near_end(server->wire);
	unsigned waiting = 0;
	if (!wire_is_drained(server->wire) || server->is_leaving)
		return;
	for (struct flight *flight = NULL; (flight = sending_next(flight));) {
		if (flight->push->connection != near_end || flight->has_come)
			continue;
		struct request *request = request_of(server, flight->push->stream_id);
		bool is_refused = !request && flight->push->stream_id <= server->newest_stream_id;
		if (is_refused ||
			(request &&
				(request->is_reset || is_stuck(server, request) ||
					request->was_stuck)))
			continue;
		waiting++;
	}
	judge_rule(waiting <= 1,
		"no push is given to a connection that has no stream or no window for it");
}

bool server_reads(const struct server *server)
{
	return !server->is_silent && !server->is_paused;
}

void server_receive(struct server *server, const uint8_t *bytes, size_t size)
{
	struct wire *wire = server->wire;
	ssize_t n = nghttp2_session_mem_recv(server->http2, bytes, size);
	judge_rule(n == (ssize_t)size, "the daemon speaks HTTP/2");
	if (!wire_server(wire))
		return;
	check_waiting(server);
	flush(server);
}

struct server *server_new(struct wire *wire)
{
	struct server *server = mem_alloc_zero(1, sizeof(*server));
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	server->wire = wire;
	server->limit = dice_once_in(4) ? 100 : LIMIT;
	server->stream_window = WINDOW;
	server->lump = 1 + dice_roll(LUMP_MAX);
	server->manner = dice_roll(2) ? LUMPS : PROMPT;
	if (nghttp2_session_callbacks_new(&callbacks) || nghttp2_option_new(&option))
		abort();
	nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_body);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_closed);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_said);
	nghttp2_option_set_no_auto_window_update(option, 1);
	if (nghttp2_session_server_new2(&server->http2, callbacks, server, option))
		abort();
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	later(server, dice_once_in(20) ? dice_between(0, 3000) : dice_between(0, 20),
		on_first_settings);
	later(server, dice_wait_ms(20 * CLOCK_MINUTE_MS), on_mood);
	return server;
}

void server_free(struct server *server)
{
	if (!server)
		return;
	while (server->requests) {
		struct request *request = server->requests;
		server->requests = request->next;
		free(request);
	}
	nghttp2_session_del(server->http2);
	free(server);
}

bool server_is_kind(const struct server *server)
{
	return server_reads(server) && !server->is_leaving && server->manner <= LUMPS &&
		server->lump <= LUMP_MAX && server->limit >= 100 && server->stream_window >= WINDOW;
}

bool server_is_open(const struct server *server)
{
	return server_is_kind(server) &&
		nghttp2_session_get_local_settings(
			server->http2, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) == server->limit &&
		nghttp2_session_get_local_settings(server->http2,
			NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE) == server->stream_window &&
		2 * server->request_count < server->limit &&
		nghttp2_session_get_local_window_size(server->http2) >= ROOM_FOR_A_PUSH;
}
