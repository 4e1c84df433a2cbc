#include "admin/queue_commands.h"

#include "admin/deferred_request.h"
#include "admin/obstacles.h"
#include "admin/registry_freeze.h"
#include "admin/request_params.h"
#include "base/log.h"
#include "base/mem.h"
#include "flow/delivery.h"
#include "monitor/response.h"

#include <string.h>

#define PAGE 1000 /* pushes flushed or dropped in one turn */

/* The pushes to show, flush or drop. */
struct view {
	struct deferred_request deferred;
	bool is_drop;
	uint64_t count;
	struct obstacles obstacles; /* of pushes that are flushed */
};

static struct view *view_of(struct db_query *db_query)
{
	return MEM_CONTAINER(db_query, struct view, deferred.db_query);
}

static struct view *view_new(const struct services *services, struct http_request *request)
{
	struct view *view = mem_alloc_zero(1, sizeof(*view));
	deferred_request_init(&view->deferred, services, request);
	return view;
}

static void view_free(struct view *view)
{
	deferred_request_fini(&view->deferred);
	obstacles_fini(&view->obstacles);
	free(view);
}

static bool is_over(struct view *view, int status)
{
	if (!deferred_request_is_over(&view->deferred, status))
		return false;
	view_free(view);
	return true;
}

static json_t *describe(const struct view *view, const struct queue_waiting *waiting)
{
	const struct push_target *target = waiting->target;
	const char *state = queue_state(view->deferred.services->queue, &target->key);
	return json_pack("{sI,so,so,so,so,so,ss,sb,si,si,so,so}", "row", (json_int_t)waiting->row,
		"key", response_key(&target->key), "user", response_text(target->user), "token",
		response_secret(target->token, view->deferred.full), "account_id",
		response_secret(target->account_id, view->deferred.full), "topic",
		response_text(target->topic), "state", state ? state : "resting", "urgent",
		waiting->is_urgent, "mailboxes", (int)waiting->hash_count, "attempts",
		(int)waiting->attempts, "oldest", response_time(waiting->first_ms), "due",
		waiting->due_ms == QUEUE_DUE_SUSPENDED ? json_null()
						       : response_time(waiting->due_ms));
}

static void on_page(struct db_query *db_query, int status)
{
	struct view *view = view_of(db_query);
	if (is_over(view, status))
		return;
	const struct queue_reading *reading = &db_query->reading;
	json_t *pushes = json_array();
	for (size_t i = 0; i < reading->waiting_count; i++)
		json_array_append_new(pushes, describe(view, &reading->waiting[i]));
	json_t *next = json_null();
	if (reading->has_more)
		next = json_integer(reading->waiting[reading->waiting_count - 1].row);
	response_json(
		view->deferred.request, 200, json_pack("{so,so}", "pushes", pushes, "next", next));
	view_free(view);
}

void queue_commands_list(
	const struct services *services, struct http_request *request, const char *tail)
{
	(void)tail;
	int64_t after = 0;
	int64_t limit = REQUEST_PARAMS_LIMIT_DEFAULT;
	if (!request_params_number(http_query(request, "after"), 0, INT64_MAX, &after) ||
		!request_params_number(
			http_query(request, "limit"), 1, REQUEST_PARAMS_LIMIT_MAX, &limit)) {
		response_error(request, 400, "limit must be from 1 to %d, and after a row",
			REQUEST_PARAMS_LIMIT_MAX);
		return;
	}
	struct view *view = view_new(services, request);
	view->deferred.db_query.reading.after_row = after;
	view->deferred.db_query.reading.limit = (size_t)limit;
	db_query_ask_queue(services, &view->deferred.db_query, QUEUE_READ_PAGE, on_page);
}

/* A push that cannot leave becomes due too, unless it is suspended or in flight. */
static void flush(struct view *view, struct push_target *target)
{
	const struct services *services = view->deferred.services;
	const char *state = queue_state(services->queue, &target->key);
	if (!state || !strcmp(state, "resting"))
		return;
	queue_hurry(services->queue, &target->key);
	view->count += !obstacles_add(&view->obstacles, services, target, state);
}

static void change(struct view *view, struct push_target *target)
{
	if (view->is_drop)
		view->count +=
			queue_discard(view->deferred.services->queue, push_target_ref(target));
	else
		flush(view, target);
}

static void finish(struct view *view)
{
	log_event(LOG_LEVEL_INFO, "queue",
		view->is_drop ? "pushes dropped by hand" : "pushes flushed by hand",
		log_text("user", view->deferred.user ? view->deferred.user : "(all)"),
		log_number("count", (int64_t)view->count));
	json_t *answer =
		json_pack("{sI}", view->is_drop ? "dropped" : "flushed", (json_int_t)view->count);
	if (!view->is_drop) {
		/* First, as this changes when a held credential is tried next. */
		sender_hurry(view->deferred.services->sender);
		json_object_set_new(answer, "cannot_go",
			obstacles_json(&view->obstacles, view->deferred.services));
	}
	delivery_wake(view->deferred.services->delivery);
	response_json(view->deferred.request, 200, answer);
	view_free(view);
}

static void on_user(struct db_query *db_query, int status)
{
	struct view *view = view_of(db_query);
	if (is_over(view, status))
		return;
	const struct registry_listing *listing = db_query->job.listing;
	for (size_t i = 0; i < listing->count; i++)
		change(view, listing->listed[i].target);
	if (listing->has_more)
		db_query_ask_next_page(view->deferred.services, db_query, on_user);
	else
		finish(view);
}

static void on_change_page(struct db_query *db_query, int status)
{
	struct view *view = view_of(db_query);
	if (is_over(view, status))
		return;
	struct queue_reading *reading = &db_query->reading;
	for (size_t i = 0; i < reading->waiting_count; i++) {
		change(view, reading->waiting[i].target);
		reading->after_row = reading->waiting[i].row;
	}
	if (reading->has_more)
		db_query_ask_queue(
			view->deferred.services, db_query, QUEUE_READ_PAGE, on_change_page);
	else
		finish(view);
}

static void begin(const struct services *services, struct http_request *request, bool is_drop)
{
	struct request_params params;
	if (!deferred_request_read_params(request, &params))
		return;
	if (is_drop && !*params.user && !params.all) {
		response_error(
			request, 400, "dropped news is lost: name a user, or say {\"all\":true}");
	} else if (!*params.user || !registry_freeze_refuses(services, request)) {
		struct view *view = view_new(services, request);
		view->is_drop = is_drop;
		view->deferred.user = *params.user ? mem_dup(params.user) : NULL;
		view->deferred.db_query.query =
			(struct registry_query){.user = view->deferred.user, .limit = PAGE};
		view->deferred.db_query.reading.limit = PAGE;
		if (view->deferred.user)
			db_query_ask_registry(
				services, &view->deferred.db_query, REGISTRY_LIST, on_user);
		else
			db_query_ask_queue(services, &view->deferred.db_query, QUEUE_READ_PAGE,
				on_change_page);
	}
	request_params_fini(&params);
}

void queue_commands_flush(
	const struct services *services, struct http_request *request, const char *tail)
{
	(void)tail;
	begin(services, request, false);
}

void queue_commands_drop(
	const struct services *services, struct http_request *request, const char *tail)
{
	(void)tail;
	begin(services, request, true);
}
