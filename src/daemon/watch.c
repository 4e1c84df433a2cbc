#include "daemon/watch.h"

#include "base/mem.h"
#include "daemon/reply.h"

#include <inttypes.h>
#include <string.h>
#include <sys/queue.h>

#define ALIVE_MS 15000 /* an empty line, so that a reader that is gone is noticed */

struct follower {
	LIST_ENTRY(follower) place;
	struct watch *watch;
	struct http_request *request;
	uint64_t dropped; /* lines, while it was too slow */
};

struct watch {
	LIST_HEAD(, follower) followers;
	struct watch_listener *listeners;
	uv_timer_t alive;
};

static void on_alive(uv_timer_t *timer)
{
	struct watch *watch = timer->data;
	struct follower *follower;
	LIST_FOREACH(follower, &watch->followers, place)
	http_write(follower->request, "\n", 1);
}

struct watch *watch_new(struct core *core)
{
	struct watch *watch = mem_alloc_zero(1, sizeof(*watch));
	LIST_INIT(&watch->followers);
	uv_timer_init(core->loop, &watch->alive);
	watch->alive.data = watch;
	return watch;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void watch_free(struct watch *watch)
{
	if (watch)
		uv_close((uv_handle_t *)&watch->alive, on_closed);
}

void watch_listen(struct watch *watch, struct watch_listener *listener)
{
	listener->next = watch->listeners;
	watch->listeners = listener;
}

void watch_unlisten(struct watch *watch, struct watch_listener *listener)
{
	struct watch_listener **at = &watch->listeners;
	while (*at && *at != listener)
		at = &(*at)->next;
	if (*at)
		*at = listener->next;
}

static void on_gone(void *ctx)
{
	struct follower *follower = ctx;
	LIST_REMOVE(follower, place);
	if (LIST_EMPTY(&follower->watch->followers))
		uv_timer_stop(&follower->watch->alive);
	free(follower);
}

void watch_follow(struct core *core, struct http_request *request, const char *tail)
{
	(void)tail;
	struct watch *watch = core->watch;
	struct follower *follower = mem_alloc_zero(1, sizeof(*follower));
	follower->watch = watch;
	follower->request = request;
	http_stream(request, "application/x-ndjson");
	http_defer(request, on_gone, follower);
	LIST_INSERT_HEAD(&watch->followers, follower, place);
	/* The answer begins at once, also when nothing happens. */
	http_write(request, "\n", 1);
	uv_timer_start(&watch->alive, on_alive, ALIVE_MS, ALIVE_MS);
}

/* A reader that was too slow is told how much it missed before it gets the next line. */
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

static void tell(struct watch *watch, json_t *json)
{
	json_object_set_new(json, "time", reply_time(clock_unix_ms()));
	char *text = json_dumps(json, REPLY_FLAGS);
	if (!text)
		abort(); /* out of memory */
	json_decref(json);
	mem_auto char *line = mem_printf("%s\n", text);
	free(text);
	struct follower *follower;
	LIST_FOREACH(follower, &watch->followers, place)
	write_line(follower, line, strlen(line));
}

void watch_event(struct watch *watch, const struct mail_event *event, enum relay_action action,
	enum metrics_transport transport)
{
	if (LIST_EMPTY(&watch->followers))
		return;
	const char *owner = event->readings ? event->at[0].owner : "";
	if (event->kind == EVENT_APPLE_PUSH_SERVICE)
		owner = event->registration.user;
	tell(watch,
		json_pack("{ss,ss,so,so,ss,ss}", "kind", "event", "event",
			event_kind_name(event->kind), "owner", reply_text(owner), "folder",
			reply_text(event->readings ? event->at[0].folder : ""), "action",
			relay_action_name(action), "transport",
			metrics_transport_names[transport]));
}

void watch_answer(struct watch *watch, const struct target *target, unsigned hash_count,
	const struct apns_answer *answer, const char *then, int64_t took_ms)
{
	struct watch_listener *next;
	for (struct watch_listener *listener = watch->listeners; listener; listener = next) {
		next = listener->next;
		listener->answered(listener, &target->key, answer, then);
	}
	if (LIST_EMPTY(&watch->followers))
		return;
	tell(watch,
		json_pack("{ss,so,so,so,ss,si,so,ss,si,so}", "kind", "push", "user",
			reply_text(target->user), "token", reply_secret(target->token, false),
			"account_id", reply_secret(target->account_id, false), "result",
			metrics_ending_name(answer->ending), "status", answer->status, "reason",
			reply_text(answer->reason), "then", then, "mailboxes", (int)hash_count,
			"seconds", json_real((double)took_ms / 1000)));
}
