#include "daemon/waiting.h"

#include "base/log.h"
#include "base/mem.h"
#include "daemon/ask.h"
#include "daemon/delivery.h"
#include "daemon/inquiry.h"
#include "daemon/reply.h"

#include <string.h>

#define PAGE 1000 /* of what is flushed or dropped in one turn */

struct exchange {
	struct inquiry inquiry;
	struct core *core;
	struct http_request *request; /* NULL: gone */
	bool full;
	char *user;
	bool is_drop;
	uint64_t count;
};

static void on_gone(void *ctx)
{
	struct exchange *exchange = ctx;
	exchange->request = NULL;
}

static struct exchange *exchange_new(struct core *core, struct http_request *request)
{
	struct exchange *exchange = mem_alloc_zero(1, sizeof(*exchange));
	exchange->core = core;
	exchange->request = request;
	http_defer(request, on_gone, exchange);
	return exchange;
}

static void exchange_free(struct exchange *exchange)
{
	inquiry_fini(&exchange->inquiry);
	free(exchange->user);
	free(exchange);
}

static bool is_over(struct exchange *exchange, int status)
{
	if (exchange->request && !status)
		return false;
	if (exchange->request)
		reply_error(exchange->request, 503, "mailpushd is stopping");
	exchange_free(exchange);
	return true;
}

static json_t *describe(const struct exchange *exchange, const struct queue_waiting *waiting)
{
	const struct target *target = waiting->target;
	const char *state = schedule_state(exchange->core->schedule, &target->key);
	return json_pack("{sI,so,so,so,so,so,ss,sb,si,si,so,so}", "row", (json_int_t)waiting->row,
		"key", reply_key(&target->key), "user", reply_text(target->user), "token",
		reply_secret(target->token, exchange->full), "account_id",
		reply_secret(target->account_id, exchange->full), "topic",
		reply_text(target->topic), "state", state ? state : "resting", "urgent",
		waiting->is_now, "mailboxes", (int)waiting->hash_count, "attempts",
		(int)waiting->attempts, "oldest", reply_time(waiting->first_ms), "due",
		reply_time(waiting->due_ms));
}

static void on_page(struct inquiry *inquiry, int status)
{
	struct exchange *exchange = MEM_CONTAINER(inquiry, struct exchange, inquiry);
	if (is_over(exchange, status))
		return;
	const struct queue_reading *reading = &inquiry->reading;
	json_t *pushes = json_array();
	for (size_t i = 0; i < reading->waiting_count; i++)
		json_array_append_new(pushes, describe(exchange, &reading->waiting[i]));
	json_t *next = json_null();
	if (reading->has_more)
		next = json_integer(reading->waiting[reading->waiting_count - 1].row);
	reply_json(exchange->request, 200, json_pack("{so,so}", "pushes", pushes, "next", next));
	exchange_free(exchange);
}

void waiting_list(struct core *core, struct http_request *request, const char *tail)
{
	(void)tail;
	int64_t after = 0;
	int64_t limit = ASK_LIMIT_DEFAULT;
	if (!ask_number(http_query(request, "after"), 0, INT64_MAX, &after) ||
		!ask_number(http_query(request, "limit"), 1, ASK_LIMIT_MAX, &limit)) {
		reply_error(
			request, 400, "limit must be from 1 to %d, and after a row", ASK_LIMIT_MAX);
		return;
	}
	const char *full = http_query(request, "full");
	struct exchange *exchange = exchange_new(core, request);
	exchange->full = full && !strcmp(full, "1");
	exchange->inquiry.reading.after_row = after;
	exchange->inquiry.reading.limit = (size_t)limit;
	inquiry_ask_queue(core, &exchange->inquiry, QUEUE_READ_PAGE, on_page);
}

static void change(struct exchange *exchange, struct target *target)
{
	struct schedule *schedule = exchange->core->schedule;
	struct queue_job *job = exchange->is_drop
		? schedule_renew(schedule, target_ref(target), NULL, 0, core_time())
		: schedule_hurry(schedule, &target->key, core_time());
	exchange->count += job != NULL;
	core_store(exchange->core, job);
}

static void finish(struct exchange *exchange)
{
	const char *what = exchange->is_drop ? "dropped" : "flushed";
	log_event(LOG_LEVEL_INFO, "queue",
		exchange->is_drop ? "pushes dropped by hand" : "pushes flushed by hand",
		log_text("user", exchange->user ? exchange->user : "(all)"),
		log_number("count", (int64_t)exchange->count));
	delivery_wake(exchange->core->delivery);
	reply_json(exchange->request, 200, json_pack("{sI}", what, (json_int_t)exchange->count));
	exchange_free(exchange);
}

static void on_user(struct inquiry *inquiry, int status)
{
	struct exchange *exchange = MEM_CONTAINER(inquiry, struct exchange, inquiry);
	if (is_over(exchange, status))
		return;
	for (size_t i = 0; i < inquiry->job.listing->count; i++)
		change(exchange, inquiry->job.listing->listed[i].target);
	finish(exchange);
}

static void on_change_page(struct inquiry *inquiry, int status)
{
	struct exchange *exchange = MEM_CONTAINER(inquiry, struct exchange, inquiry);
	if (is_over(exchange, status))
		return;
	struct queue_reading *reading = &inquiry->reading;
	for (size_t i = 0; i < reading->waiting_count; i++) {
		change(exchange, reading->waiting[i].target);
		reading->after_row = reading->waiting[i].row;
	}
	if (reading->has_more)
		inquiry_ask_queue(exchange->core, inquiry, QUEUE_READ_PAGE, on_change_page);
	else
		finish(exchange);
}

static void begin(struct core *core, struct http_request *request, bool is_drop)
{
	struct ask ask;
	struct err err;
	size_t size;
	const char *body = http_body(request, &size);
	if (ask_parse(body, size, &ask, &err)) {
		reply_error(request, 400, "%s", err.text);
	} else if (is_drop && !*ask.user && !ask.all) {
		reply_error(request, 400,
			"what is dropped is never told: name a user, or say {\"all\":true}");
	} else {
		struct exchange *exchange = exchange_new(core, request);
		exchange->is_drop = is_drop;
		exchange->user = *ask.user ? mem_dup(ask.user) : NULL;
		exchange->inquiry.query.user = exchange->user;
		exchange->inquiry.reading.limit = PAGE;
		if (exchange->user)
			inquiry_ask_registry(core, &exchange->inquiry, REGISTRY_LIST, on_user);
		else
			inquiry_ask_queue(
				core, &exchange->inquiry, QUEUE_READ_PAGE, on_change_page);
	}
	ask_fini(&ask);
}

void waiting_flush(struct core *core, struct http_request *request, const char *tail)
{
	(void)tail;
	begin(core, request, false);
}

void waiting_drop(struct core *core, struct http_request *request, const char *tail)
{
	(void)tail;
	begin(core, request, true);
}
