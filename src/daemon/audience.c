#include "daemon/audience.h"

#include "base/mem.h"
#include "daemon/reply.h"

#include <inttypes.h>
#include <string.h>
#include <sys/queue.h>

#define ALIVE_MS 15000 /* an empty line, so that a reader that is gone is noticed */

struct follower {
	LIST_ENTRY(follower) place;
	struct audience *audience;
	struct http_request *request;
	uint64_t dropped; /* lines, while it was too slow */
};

struct audience {
	LIST_HEAD(, follower) followers;
	struct audience_listener *listeners;
	uv_timer_t alive;
};

static void on_alive(uv_timer_t *timer)
{
	struct audience *audience = timer->data;
	struct follower *follower;
	LIST_FOREACH(follower, &audience->followers, place)
	http_write(follower->request, "\n", 1);
}

struct audience *audience_new(struct core *core)
{
	struct audience *audience = mem_alloc_zero(1, sizeof(*audience));
	LIST_INIT(&audience->followers);
	uv_timer_init(core->loop, &audience->alive);
	audience->alive.data = audience;
	return audience;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void audience_free(struct audience *audience)
{
	if (audience)
		uv_close((uv_handle_t *)&audience->alive, on_closed);
}

void audience_listen(struct audience *audience, struct audience_listener *listener)
{
	listener->next = audience->listeners;
	audience->listeners = listener;
}

void audience_unlisten(struct audience *audience, struct audience_listener *listener)
{
	struct audience_listener **at = &audience->listeners;
	while (*at && *at != listener)
		at = &(*at)->next;
	if (*at)
		*at = listener->next;
}

static void on_gone(void *ctx)
{
	struct follower *follower = ctx;
	LIST_REMOVE(follower, place);
	if (LIST_EMPTY(&follower->audience->followers))
		uv_timer_stop(&follower->audience->alive);
	free(follower);
}

void audience_follow(struct core *core, struct http_request *request, const char *tail)
{
	(void)tail;
	struct audience *audience = core->audience;
	struct follower *follower = mem_alloc_zero(1, sizeof(*follower));
	follower->audience = audience;
	follower->request = request;
	http_stream(request, "application/x-ndjson");
	http_defer(request, on_gone, follower);
	LIST_INSERT_HEAD(&audience->followers, follower, place);
	/* The answer begins at once, also when nothing happens. */
	http_write(request, "\n", 1);
	uv_timer_start(&audience->alive, on_alive, ALIVE_MS, ALIVE_MS);
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

static void tell(struct audience *audience, json_t *json)
{
	json_object_set_new(json, "time", reply_time(clock_unix_ms()));
	char *text = json_dumps(json, REPLY_FLAGS);
	if (!text)
		abort(); /* out of memory */
	json_decref(json);
	mem_auto char *line = mem_printf("%s\n", text);
	free(text);
	struct follower *follower;
	LIST_FOREACH(follower, &audience->followers, place)
	write_line(follower, line, strlen(line));
}

void audience_event(struct audience *audience, const struct mail_event *event,
	enum relay_action action, enum metrics_transport transport)
{
	if (LIST_EMPTY(&audience->followers))
		return;
	const char *owner = event->readings ? event->at[0].owner : "";
	if (event->kind == EVENT_APPLE_PUSH_SERVICE)
		owner = event->registration.user;
	tell(audience,
		json_pack("{ss,ss,so,so,ss,ss}", "kind", "event", "event",
			event_kind_name(event->kind), "owner", reply_text(owner), "folder",
			reply_text(event->readings ? event->at[0].folder : ""), "action",
			relay_action_name(action), "transport",
			metrics_transport_names[transport]));
}

void audience_answer(struct audience *audience, const struct target *target, unsigned hash_count,
	const struct apns_answer *answer, const char *then, int64_t took_ms)
{
	struct audience_listener *next;
	for (struct audience_listener *listener = audience->listeners; listener; listener = next) {
		next = listener->next;
		listener->answered(listener, &target->key, answer, then);
	}
	if (LIST_EMPTY(&audience->followers))
		return;
	tell(audience,
		json_pack("{ss,so,so,so,ss,si,so,ss,si,so}", "kind", "push", "user",
			reply_text(target->user), "token", reply_secret(target->token, false),
			"account_id", reply_secret(target->account_id, false), "result",
			metrics_ending_name(answer->ending), "status", answer->status, "reason",
			reply_text(answer->reason), "then", then, "mailboxes", (int)hash_count,
			"seconds", json_real((double)took_ms / 1000)));
}
