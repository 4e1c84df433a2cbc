#include "admin/devices.h"

#include "admin/deferred_request.h"
#include "admin/registration_json.h"
#include "admin/request_params.h"
#include "apns/explain.h"
#include "base/mem.h"
#include "event/utf7.h"
#include "flow/expiry.h"
#include "monitor/response.h"

#include <string.h>

/* Begins `deferred` with its query.  False: the request is invalid, and was answered. */
static bool read_page(struct http_request *request, const struct services *services,
	struct deferred_request *deferred)
{
	const char *user = NULL;
	const char *after_user = NULL;
	struct registry_key after_key = {0};
	int64_t limit = REQUEST_PARAMS_LIMIT_DEFAULT;
	if (!request_params_text(http_query(request, "user"), &user) ||
		!request_params_text(http_query(request, "after_user"), &after_user) ||
		!request_params_key(http_query(request, "after_key"), &after_key) ||
		!request_params_number(
			http_query(request, "limit"), 1, REQUEST_PARAMS_LIMIT_MAX, &limit)) {
		response_error(request, 400,
			"limit must be from 1 to %d, after_key a key, and texts of at most %d "
			"bytes",
			REQUEST_PARAMS_LIMIT_MAX, REQUEST_PARAMS_TEXT_MAX);
		return false;
	}
	deferred_request_init(deferred, services, request);
	if (user || after_user)
		deferred->user = mem_dup(user ? user : after_user);
	deferred->db_query.query = (struct registry_query){
		.user = user ? deferred->user : NULL,
		.after_user = deferred->user,
		.after_key = after_key,
		.limit = (size_t)limit,
	};
	return true;
}

/* null: this is the last page. */
static json_t *next_page(const struct registry_listing *listing)
{
	if (!listing->has_more)
		return json_null();
	const struct push_target *last = listing->listed[listing->count - 1].target;
	return json_pack(
		"{so,so}", "user", response_text(last->user), "key", response_key(&last->key));
}

/* The registrations to show. */
struct view {
	struct deferred_request deferred;
	struct registry_key key;
	bool is_single;
	struct registry_key *keys; /* of all listed, in ascending order */
	struct queue_phone *phones;
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
	free(view->keys);
	free(view->phones);
	free(view);
}

static bool is_over(struct view *view, int status)
{
	if (!deferred_request_is_over(&view->deferred, status))
		return false;
	view_free(view);
	return true;
}

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct registry_key));
}

static const struct queue_phone *phone_of(const struct view *view, const struct registry_key *key)
{
	const struct registry_key *found = bsearch(key, view->keys,
		view->deferred.db_query.reading.key_count, sizeof(*key), compare_keys);
	return &view->phones[found - view->keys];
}

/* The registry has names in modified UTF-7; people read UTF-8. */
static json_t *name_of(const char *name)
{
	size_t size = strlen(name);
	mem_auto char *decoded = mem_alloc(UTF7_DECODED_MAX(size));
	size_t decoded_size;
	if (utf7_decode(name, size, decoded, &decoded_size))
		return response_text(name);
	decoded[decoded_size] = '\0';
	return response_text(decoded);
}

static json_t *last_push(const struct queue_phone *phone)
{
	if (!phone->last_push_ms && !phone->last_status)
		return json_null();
	return json_pack("{so,si,so,ss}", "time", response_time(phone->last_push_ms), "status",
		phone->last_status, "reason", response_text(phone->last_reason), "meaning",
		phone->last_status
			? explain_answer(APNS_ANSWERED, phone->last_status, phone->last_reason)
			: "Apple did not answer; the push is retried");
}

static json_t *describe(const struct view *view, const struct registry_listed *listed)
{
	const struct push_target *target = listed->target;
	const struct queue_phone *phone = phone_of(view, &target->key);
	const char *waits = queue_state(view->deferred.services->queue, &target->key);
	json_t *mailboxes = json_array();
	for (size_t i = 0; i < listed->subscription_count; i++)
		json_array_append_new(mailboxes, name_of(listed->subscriptions[i].name));
	json_t *json = json_pack("{so,so,so,so,so,so,si,sb,ss,so}", "key",
		response_key(&target->key), "user", response_text(target->user), "token",
		response_secret(target->token, view->deferred.full), "account_id",
		response_secret(target->account_id, view->deferred.full), "topic",
		response_text(target->topic), "subtopic", response_text(listed->subtopic),
		"version", target->aps_version, "confirmed", target->confirmed, "state",
		registry_state_names[registry_state_of(
			listed->stopped_reason, listed->suspended_ms, listed->superseded_ms)],
		"mailboxes", mailboxes);
	json_object_set_new(json, "stopped_reason",
		listed->stopped_reason ? response_text(listed->stopped_reason) : json_null());
	json_object_set_new(json, "created", response_time(listed->created_ms));
	json_object_set_new(json, "renewed", response_time(target->renewed_ms));
	json_object_set_new(json, "suspended", response_time(listed->suspended_ms));
	json_object_set_new(json, "superseded", response_time(listed->superseded_ms));
	json_object_set_new(json, "queue",
		waits && strcmp(waits, "resting") ? json_string(waits) : json_null());
	json_object_set_new(json, "limited_until",
		response_time(
			queue_limited_until_ms(view->deferred.services->queue, &target->key)));
	json_object_set_new(json, "push",
		json_boolean(user_settings_is_pushed_to(
			view->deferred.services->config->users, target->user)));
	json_object_set_new(json, "last_event", response_time(phone->last_event_ms));
	json_object_set_new(json, "last_push", last_push(phone));
	return json;
}

static void on_phones(struct db_query *db_query, int status)
{
	struct view *view = view_of(db_query);
	if (is_over(view, status))
		return;
	const struct registry_listing *listing = db_query->job.listing;
	json_t *devices = json_array();
	for (size_t i = 0; i < listing->count; i++)
		json_array_append_new(devices, describe(view, &listing->listed[i]));
	if (view->is_single) {
		json_t *device = json_incref(json_array_get(devices, 0));
		json_decref(devices);
		response_json(view->deferred.request, 200, device);
	} else {
		response_json(view->deferred.request, 200,
			json_pack("{so,so}", "devices", devices, "next", next_page(listing)));
	}
	view_free(view);
}

static void on_listed(struct db_query *db_query, int status)
{
	struct view *view = view_of(db_query);
	if (is_over(view, status))
		return;
	const struct registry_listing *listing = db_query->job.listing;
	if (view->is_single && !listing->count) {
		response_error(view->deferred.request, 404, "no device has this key");
		view_free(view);
		return;
	}
	view->keys = mem_alloc_zero(listing->count + 1, sizeof(*view->keys));
	view->phones = mem_alloc_zero(listing->count + 1, sizeof(*view->phones));
	for (size_t i = 0; i < listing->count; i++)
		view->keys[i] = listing->listed[i].target->key;
	qsort(view->keys, listing->count, sizeof(*view->keys), compare_keys);
	db_query->reading.keys = view->keys;
	db_query->reading.key_count = listing->count;
	db_query->reading.phones = view->phones;
	db_query_ask_queue(view->deferred.services, db_query, QUEUE_READ_PHONES, on_phones);
}

void devices_list(const struct services *services, struct http_request *request, const char *tail)
{
	(void)tail;
	struct view *view = mem_alloc_zero(1, sizeof(*view));
	if (!read_page(request, services, &view->deferred)) {
		free(view);
		return;
	}
	db_query_ask_registry(services, &view->deferred.db_query, REGISTRY_LIST, on_listed);
}

bool devices_key(struct http_request *request, const char *tail, struct registry_key *ret)
{
	if (request_params_key(tail, ret))
		return true;
	response_error(request, 400,
		"name a device by its key of %d hex digits, which `mailpushctl devices` shows",
		2 * REGISTRY_KEY_SIZE);
	return false;
}

void devices_show(const struct services *services, struct http_request *request, const char *tail)
{
	struct registry_key key;
	if (!devices_key(request, tail, &key))
		return;
	struct view *view = view_new(services, request);
	view->key = key;
	view->is_single = true;
	view->deferred.db_query.query = (struct registry_query){.key = &view->key};
	db_query_ask_registry(services, &view->deferred.db_query, REGISTRY_LIST, on_listed);
}

static void on_exported(struct db_query *db_query, int status)
{
	struct deferred_request *deferred =
		MEM_CONTAINER(db_query, struct deferred_request, db_query);
	if (!deferred_request_is_over(deferred, status)) {
		const struct registry_listing *listing = db_query->job.listing;
		json_t *registrations = json_array();
		for (size_t i = 0; i < listing->count; i++)
			json_array_append_new(
				registrations, registration_json_of(&listing->listed[i]));
		response_json(deferred->request, 200,
			json_pack("{so,so}", "registrations", registrations, "next",
				next_page(listing)));
	}
	deferred_request_fini(deferred);
	free(deferred);
}

void devices_export(const struct services *services, struct http_request *request, const char *tail)
{
	(void)tail;
	struct deferred_request *deferred = mem_alloc_zero(1, sizeof(*deferred));
	if (!read_page(request, services, deferred)) {
		free(deferred);
		return;
	}
	db_query_ask_registry(services, &deferred->db_query, REGISTRY_LIST, on_exported);
}

static void on_pruned(void *ctx, const struct expiry_result *result)
{
	if (result->status)
		response_undone(ctx, result->status, result->refusal);
	else
		response_json(ctx, 200,
			json_pack("{sI,sI,sI}", "removed", (json_int_t)result->gone, "nudged",
				(json_int_t)result->nudged, "kept_back",
				(json_int_t)result->kept_back));
}

static void on_prune_gone(void *ctx)
{
	expiry_forget(ctx);
}

void devices_prune(const struct services *services, struct http_request *request, const char *tail)
{
	(void)tail;
	if (!expiry_ask(services->expiry, on_pruned, request)) {
		response_error(request, 409, "another prune is running; try again in a moment");
		return;
	}
	http_defer(request, on_prune_gone, services->expiry);
}
