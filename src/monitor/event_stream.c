#include "monitor/event_stream.h"

#include "base/mem.h"
#include "monitor/response.h"

#include <inttypes.h>
#include <string.h>

#define ALIVE_MS 15000 /* an empty line, to notice readers that are gone */

struct follower {
	LIST_ENTRY(follower) place;
	struct event_stream *stream;
	struct http_request *request;
	uint64_t dropped; /* lines, while it was too slow */
};

struct event_stream {
	struct observer *observer;
	LIST_HEAD(, follower) followers;
	LIST_HEAD(, event_stream_listener) listeners;
	uv_timer_t alive;
};

static void on_alive(uv_timer_t *timer)
{
	struct event_stream *stream = timer->data;
	struct follower *follower;
	LIST_FOREACH(follower, &stream->followers, place)
		http_write(follower->request, "\n", 1);
}

void event_stream_listen(struct event_stream *stream, struct event_stream_listener *listener)
{
	LIST_INSERT_HEAD(&stream->listeners, listener, place);
}

void event_stream_unlisten(struct event_stream_listener *listener)
{
	LIST_REMOVE(listener, place);
}

static void on_gone(void *ctx)
{
	struct follower *follower = ctx;
	LIST_REMOVE(follower, place);
	if (LIST_EMPTY(&follower->stream->followers))
		uv_timer_stop(&follower->stream->alive);
	free(follower);
}

void event_stream_follow(
	const struct services *services, struct http_request *request, const char *tail)
{
	(void)tail;
	struct event_stream *stream = services->event_stream;
	struct follower *follower = mem_alloc_zero(1, sizeof(*follower));
	follower->stream = stream;
	follower->request = request;
	http_stream(request, "application/x-ndjson");
	http_defer(request, on_gone, follower);
	LIST_INSERT_HEAD(&stream->followers, follower, place);
	/* The answer begins at once, even if nothing happens. */
	http_write(request, "\n", 1);
	uv_timer_start(&stream->alive, on_alive, ALIVE_MS, ALIVE_MS);
}

/* A reader that was too slow first learns how many lines it missed. */
static void write_line(struct follower *follower, const char *line, size_t size)
{
	char missed[64];
	if (follower->dropped) {
		int n = snprintf(missed, sizeof(missed),
			"{\"kind\":\"missed\",\"lines\":%" PRIu64 "}\n", follower->dropped);
		if (!http_write(follower->request, missed, (size_t)n)) {
			follower->dropped++;
			return;
		}
		follower->dropped = 0;
	}
	if (!http_write(follower->request, line, size))
		follower->dropped++;
}

static void write_to_all(struct event_stream *stream, json_t *json)
{
	json_object_set_new(json, "time", response_time(clock_unix_ms()));
	char *text = json_dumps(json, RESPONSE_FLAGS);
	if (!text)
		abort(); /* out of memory */
	json_decref(json);
	mem_auto char *line = mem_printf("%s\n", text);
	free(text);
	struct follower *follower;
	LIST_FOREACH(follower, &stream->followers, place)
		write_line(follower, line, strlen(line));
}

static void on_event(void *ctx, const struct mail_event *event, enum relay_action action,
	enum metrics_transport transport)
{
	struct event_stream *stream = ctx;
	if (LIST_EMPTY(&stream->followers))
		return;
	const char *owner = event->readings ? event->at[0].owner : "";
	if (event->kind == EVENT_APPLE_PUSH_SERVICE)
		owner = event->registration.user;
	write_to_all(stream,
		json_pack("{ss,ss,so,so,ss,ss,ss}", "kind", "event", "event",
			event_kind_name(event->kind), "owner", response_text(owner), "folder",
			response_text(event->readings ? event->at[0].folder : ""), "action",
			relay_action_name(action), "transport", metrics_transport_names[transport],
			"source", event_source_names[event->source]));
}

static void on_answered(void *ctx, const struct push_target *target, unsigned hash_count,
	const struct apns_answer *answer, const char *then, int64_t took_ms)
{
	struct event_stream *stream = ctx;
	struct event_stream_listener *next;
	for (struct event_stream_listener *listener = LIST_FIRST(&stream->listeners); listener;
		listener = next) {
		next = LIST_NEXT(listener, place);
		listener->answered(listener, &target->key, answer, then);
	}
	if (LIST_EMPTY(&stream->followers))
		return;
	write_to_all(stream,
		json_pack("{ss,so,so,so,ss,si,so,ss,si,so}", "kind", "push", "user",
			response_text(target->user), "token", response_secret(target->token, false),
			"account_id", response_secret(target->account_id, false), "result",
			metrics_ending_name(answer->ending), "status", answer->status, "reason",
			response_text(answer->reason), "then", then, "mailboxes", (int)hash_count,
			"seconds", json_real((double)took_ms / 1000)));
}

struct event_stream *event_stream_new(uv_loop_t *loop, struct observer *observer)
{
	struct event_stream *stream = mem_alloc_zero(1, sizeof(*stream));
	LIST_INIT(&stream->followers);
	LIST_INIT(&stream->listeners);
	uv_timer_init(loop, &stream->alive);
	stream->alive.data = stream;
	stream->observer = observer;
	*observer = (struct observer){stream, on_event, on_answered};
	return stream;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void event_stream_free(struct event_stream *stream)
{
	if (!stream)
		return;
	*stream->observer = (struct observer){0};
	uv_close((uv_handle_t *)&stream->alive, on_closed);
}
