#include "admin/removal.h"

#include "admin/deferred_request.h"
#include "admin/devices.h"
#include "admin/request_params.h"
#include "base/log.h"
#include "base/mem.h"
#include "flow/delivery.h"
#include "monitor/response.h"
#include "stats/metrics.h"
#include "trace/trace.h"

#include <string.h>

#define PAGE 1000 /* of the queue, in one turn */

struct removal {
	struct deferred_request deferred;
	struct registry_key *keys; /* of devices */
	bool is_single;
	uint64_t gone;	  /* from the registry */
	uint64_t dropped; /* pushes that only the queue still had */
	bool is_asking;	  /* the registry or the queue */
	struct queue_waiter dropping;
	struct trace_question erasing; /* of a user */
	bool is_erasing;
	int status; /* 0: all of it is on disk, as far as is known */
};

static struct removal *removal_of(struct db_query *db_query)
{
	return MEM_CONTAINER(db_query, struct removal, deferred.db_query);
}

static void removal_free(struct removal *removal)
{
	deferred_request_fini(&removal->deferred);
	trace_question_fini(&removal->erasing);
	free(removal->keys);
	free(removal);
}

static void answer(const struct removal *removal)
{
	struct http_request *request = removal->deferred.request;
	if (removal->erasing.status)
		response_error(request, 503,
			"the registrations are removed, but the trace still has entries; try "
			"again: %s",
			removal->erasing.err.text);
	else if (removal->is_single && !removal->gone)
		response_error(request, 404, "no device has this key");
	else if (removal->is_single)
		response_json(request, 200, json_pack("{si}", "removed", 1));
	else
		response_json(request, 200,
			json_pack("{sI,sI,sI}", "removed", (json_int_t)removal->gone, "dropped",
				(json_int_t)removal->dropped, "erased",
				(json_int_t)removal->erasing.erased));
}

static void finish_if_done(struct removal *removal)
{
	if (removal->is_asking || removal->dropping.waiting || removal->is_erasing)
		return;
	if (!removal->status && (removal->gone || !removal->is_single))
		log_event(LOG_LEVEL_INFO, "registry", "registrations removed by hand",
			log_text("user",
				removal->deferred.user ? removal->deferred.user : "(by key)"),
			log_number("count", (int64_t)removal->gone));
	if (!deferred_request_is_over(&removal->deferred, removal->status))
		answer(removal);
	removal_free(removal);
}

static void on_dropped(struct queue_waiter *waiter, int status)
{
	struct removal *removal = MEM_CONTAINER(waiter, struct removal, dropping);
	if (status)
		removal->status = status;
	finish_if_done(removal);
}

static struct removal *removal_new(const struct services *services, struct http_request *request)
{
	struct removal *removal = mem_alloc_zero(1, sizeof(*removal));
	deferred_request_init(&removal->deferred, services, request);
	removal->dropping.done = on_dropped;
	return removal;
}

static void ask_registry(struct removal *removal, enum registry_job_kind kind,
	void (*answered)(struct db_query *db_query, int status))
{
	removal->is_asking = true;
	db_query_ask_registry(
		removal->deferred.services, &removal->deferred.db_query, kind, answered);
}

static void end_asking(struct removal *removal, int status)
{
	removal->is_asking = false;
	if (status)
		removal->status = status;
	finish_if_done(removal);
}

/* The queue follows also when the client is gone. */
static void update_queue(struct removal *removal)
{
	const struct registry_job *job = &removal->deferred.db_query.job;
	delivery_drop(removal->deferred.services->delivery, job->gone, job->gone_count,
		&removal->dropping);
	removal->deferred.services->metrics->gone[METRICS_GONE_removed] += job->gone_count;
	removal->gone = job->gone_count;
}

static void on_devices_removed(struct db_query *db_query, int status)
{
	struct removal *removal = removal_of(db_query);
	if (!status)
		update_queue(removal);
	end_asking(removal, status);
}

static bool read_keys(const json_t *list, struct removal *removal)
{
	struct registry_job *job = &removal->deferred.db_query.job;
	size_t count = json_array_size(list);
	if (count < 1 || count > REMOVAL_KEYS_MAX)
		return false;
	removal->keys = mem_alloc_zero(count, sizeof(*removal->keys));
	for (size_t i = 0; i < count; i++) {
		const char *text = json_string_value(json_array_get(list, i));
		if (!text || !request_params_key(text, &removal->keys[i]))
			return false;
	}
	job->keys = removal->keys;
	job->key_count = count;
	return true;
}

void removal_device(const struct services *services, struct http_request *request, const char *tail)
{
	struct registry_key key;
	if (!devices_key(request, tail, &key))
		return;
	struct removal *removal = removal_new(services, request);
	removal->is_single = true;
	removal->keys = mem_alloc(sizeof(key));
	removal->keys[0] = key;
	removal->deferred.db_query.job.keys = removal->keys;
	removal->deferred.db_query.job.key_count = 1;
	ask_registry(removal, REGISTRY_REMOVE, on_devices_removed);
}

void removal_devices(
	const struct services *services, struct http_request *request, const char *tail)
{
	(void)tail;
	size_t size;
	const char *text = http_body(request, &size);
	json_t *body = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	json_t *keys = NULL;
	double before_s = 0;
	json_error_t error = {.text = ""};
	bool is_known = body &&
		!json_unpack_ex(
			body, &error, 0, "{s?o,s?F!}", "keys", &keys, "renewed_before", &before_s);
	struct removal *removal = removal_new(services, request);
	if (is_known && before_s >= 0 && before_s <= REQUEST_PARAMS_TIME_MAX &&
		read_keys(keys, removal)) {
		/* Registrations that were renewed since the list was made stay. */
		removal->deferred.db_query.job.before_ms = (int64_t)(before_s * 1000);
		ask_registry(removal, REGISTRY_REMOVE, on_devices_removed);
	} else {
		response_error(request, 400,
			"keys must be a list of 1 to %d keys, and renewed_before a Unix time in "
			"seconds%s%s",
			REMOVAL_KEYS_MAX, *error.text ? ": " : "", error.text);
		removal_free(removal);
	}
	json_decref(body);
}

static void on_page(struct db_query *db_query, int status)
{
	struct removal *removal = removal_of(db_query);
	struct queue_reading *reading = &db_query->reading;
	for (size_t i = 0; i < reading->waiting_count && !status; i++) {
		const struct push_target *target = reading->waiting[i].target;
		reading->after_row = reading->waiting[i].row;
		/* A phone may have registered again meanwhile. */
		if (strcmp(target->user, removal->deferred.user) != 0 ||
			target->renewed_ms >= db_query->job.received_ms)
			continue;
		delivery_drop(
			removal->deferred.services->delivery, &target->key, 1, &removal->dropping);
		removal->dropped++;
	}
	if (!status && reading->has_more) {
		db_query_ask_queue(removal->deferred.services, db_query, QUEUE_READ_PAGE, on_page);
		return;
	}
	queue_empty_log(removal->deferred.services->queue, &removal->dropping);
	end_asking(removal, status);
}

static void on_erased(struct trace_question *question)
{
	struct removal *removal = MEM_CONTAINER(question, struct removal, erasing);
	removal->is_erasing = false;
	finish_if_done(removal);
}

static void erase_trace(struct removal *removal)
{
	struct trace *trace = removal->deferred.services->trace;
	const struct registry_job *job = &removal->deferred.db_query.job;
	struct trace_question *question = &removal->erasing;
	if (!trace)
		return;
	question->user = removal->deferred.user;
	question->keys = job->gone;
	question->key_count = job->gone_count;
	question->done = on_erased;
	removal->is_erasing = true;
	trace_forget(trace, question);
}

static void on_user_removed(struct db_query *db_query, int status)
{
	struct removal *removal = removal_of(db_query);
	if (status) {
		end_asking(removal, status);
		return;
	}
	update_queue(removal);
	erase_trace(removal);
	/* A crash may have left pushes of a registration that the registry no longer has. */
	db_query->reading.limit = PAGE;
	db_query_ask_queue(removal->deferred.services, db_query, QUEUE_READ_PAGE, on_page);
}

void removal_user(const struct services *services, struct http_request *request, const char *tail)
{
	(void)tail;
	struct request_params params;
	if (!deferred_request_read_params(request, &params))
		return;
	if (!*params.user) {
		response_error(request, 400, "name a user");
	} else {
		struct removal *removal = removal_new(services, request);
		removal->deferred.user = mem_dup(params.user);
		removal->deferred.db_query.query.user = removal->deferred.user;
		ask_registry(removal, REGISTRY_REMOVE_USER, on_user_removed);
	}
	request_params_fini(&params);
}
