#include "daemon/devices.h"

#include "apns/explain.h"
#include "base/mem.h"
#include "daemon/ask.h"
#include "daemon/delivery.h"
#include "daemon/inquiry.h"
#include "daemon/metrics.h"
#include "daemon/reply.h"
#include "daemon/tidy.h"
#include "event/utf7.h"

#include <string.h>

/* A request that waits for the databases. */
struct exchange {
	struct inquiry inquiry;
	struct core *core;
	struct http_request *request; /* NULL: gone */
	struct registry_key key;
	bool is_single;
	bool full;
	char *user;
	struct registry_key *keys; /* of all listed, in ascending order */
	struct queue_phone *phones;
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
	free(exchange->keys);
	free(exchange->phones);
	free(exchange);
}

/* Frees it if nobody waits or the database is being stopped. */
static bool is_over(struct exchange *exchange, int status)
{
	if (exchange->request && !status)
		return false;
	if (exchange->request)
		reply_error(exchange->request, 503, "mailpushd is stopping");
	exchange_free(exchange);
	return true;
}

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct registry_key));
}

static const struct queue_phone *phone_of(
	const struct exchange *exchange, const struct registry_key *key)
{
	const struct registry_key *found = bsearch(key, exchange->keys,
		exchange->inquiry.reading.key_count, sizeof(*key), compare_keys);
	return &exchange->phones[found - exchange->keys];
}

/* As people type it: names come in modified UTF-7. */
static json_t *name_of(const char *name)
{
	size_t size = strlen(name);
	mem_auto char *decoded = mem_alloc(UTF7_DECODED_MAX(size));
	size_t decoded_size;
	if (utf7_decode(name, size, decoded, &decoded_size))
		return reply_text(name);
	decoded[decoded_size] = '\0';
	return reply_text(decoded);
}

static const char *state_of(const struct registry_listed *listed)
{
	if (listed->stopped_reason)
		return "stopped";
	if (listed->sleeping_ms)
		return "sleeping";
	return listed->superseded_ms ? "superseded" : "active";
}

static json_t *last_push(const struct queue_phone *phone)
{
	if (!phone->last_push_ms && !phone->last_status)
		return json_null();
	return json_pack("{so,si,so,ss}", "time", reply_time(phone->last_push_ms), "status",
		phone->last_status, "reason", reply_text(phone->last_reason), "meaning",
		phone->last_status
			? explain_answer(APNS_ANSWERED, phone->last_status, phone->last_reason)
			: "Apple did not answer; it is sent again");
}

static json_t *describe(const struct exchange *exchange, const struct registry_listed *listed)
{
	const struct target *target = listed->target;
	const struct queue_phone *phone = phone_of(exchange, &target->key);
	const char *waits = schedule_state(exchange->core->schedule, &target->key);
	json_t *mailboxes = json_array();
	for (size_t i = 0; i < listed->subscription_count; i++)
		json_array_append_new(mailboxes, name_of(listed->subscriptions[i].name));
	json_t *json = json_pack("{so,so,so,so,so,so,si,sb,ss,so}", "key", reply_key(&target->key),
		"user", reply_text(target->user), "token",
		reply_secret(target->token, exchange->full), "account_id",
		reply_secret(target->account_id, exchange->full), "topic",
		reply_text(target->topic), "subtopic", reply_text(listed->subtopic), "version",
		target->aps_version, "confirmed", target->confirmed, "state", state_of(listed),
		"mailboxes", mailboxes);
	json_object_set_new(json, "stopped_reason",
		listed->stopped_reason ? reply_text(listed->stopped_reason) : json_null());
	json_object_set_new(json, "created", reply_time(listed->created_ms));
	json_object_set_new(json, "renewed", reply_time(target->renewed_ms));
	json_object_set_new(json, "sleeping", reply_time(listed->sleeping_ms));
	json_object_set_new(json, "superseded", reply_time(listed->superseded_ms));
	json_object_set_new(json, "queue",
		waits && strcmp(waits, "resting") ? json_string(waits) : json_null());
	json_object_set_new(json, "last_event", reply_time(phone->last_event_ms));
	json_object_set_new(json, "last_push", last_push(phone));
	return json;
}

static void on_phones(struct inquiry *inquiry, int status)
{
	struct exchange *exchange = MEM_CONTAINER(inquiry, struct exchange, inquiry);
	if (is_over(exchange, status))
		return;
	const struct registry_listing *listing = inquiry->job.listing;
	json_t *devices = json_array();
	for (size_t i = 0; i < listing->count; i++)
		json_array_append_new(devices, describe(exchange, &listing->listed[i]));
	if (exchange->is_single) {
		json_t *device = json_incref(json_array_get(devices, 0));
		json_decref(devices);
		reply_json(exchange->request, 200, device);
	} else {
		json_t *next = json_null();
		if (listing->has_more) {
			const struct target *last = listing->listed[listing->count - 1].target;
			next = json_pack("{so,so}", "user", reply_text(last->user), "key",
				reply_key(&last->key));
		}
		reply_json(exchange->request, 200,
			json_pack("{so,so}", "devices", devices, "next", next));
	}
	exchange_free(exchange);
}

static void on_listed(struct inquiry *inquiry, int status)
{
	struct exchange *exchange = MEM_CONTAINER(inquiry, struct exchange, inquiry);
	if (is_over(exchange, status))
		return;
	const struct registry_listing *listing = inquiry->job.listing;
	if (exchange->is_single && !listing->count) {
		reply_error(exchange->request, 404, "no device has this key");
		exchange_free(exchange);
		return;
	}
	exchange->keys = mem_alloc_zero(listing->count + 1, sizeof(*exchange->keys));
	exchange->phones = mem_alloc_zero(listing->count + 1, sizeof(*exchange->phones));
	for (size_t i = 0; i < listing->count; i++)
		exchange->keys[i] = listing->listed[i].target->key;
	qsort(exchange->keys, listing->count, sizeof(*exchange->keys), compare_keys);
	inquiry->reading.keys = exchange->keys;
	inquiry->reading.key_count = listing->count;
	inquiry->reading.phones = exchange->phones;
	inquiry_ask_queue(exchange->core, inquiry, QUEUE_READ_PHONES, on_phones);
}

static bool is_full(const struct http_request *request)
{
	const char *full = http_query(request, "full");
	return full && !strcmp(full, "1");
}

void devices_list(struct core *core, struct http_request *request, const char *tail)
{
	(void)tail;
	const char *user = NULL;
	const char *after_user = NULL;
	struct registry_key after_key = {0};
	int64_t limit = ASK_LIMIT_DEFAULT;
	if (!ask_text(http_query(request, "user"), &user) ||
		!ask_text(http_query(request, "after_user"), &after_user) ||
		!ask_key(http_query(request, "after_key"), &after_key) ||
		!ask_number(http_query(request, "limit"), 1, ASK_LIMIT_MAX, &limit)) {
		reply_error(request, 400,
			"limit must be from 1 to %d, after_key a key, and texts of at most %d "
			"bytes",
			ASK_LIMIT_MAX, ASK_TEXT_MAX);
		return;
	}
	struct exchange *exchange = exchange_new(core, request);
	exchange->full = is_full(request);
	if (user || after_user)
		exchange->user = mem_dup(user ? user : after_user);
	exchange->inquiry.query = (struct registry_query){
		.user = user ? exchange->user : NULL,
		.after_user = exchange->user,
		.after_key = after_key,
		.limit = (size_t)limit,
	};
	inquiry_ask_registry(core, &exchange->inquiry, REGISTRY_LIST, on_listed);
}

static struct exchange *exchange_of_key(
	struct core *core, struct http_request *request, const char *tail)
{
	struct registry_key key;
	if (!ask_key(tail, &key)) {
		reply_error(request, 400,
			"a device is named by its key of %d hex digits, as `mailpushctl devices` "
			"shows it",
			2 * REGISTRY_KEY_SIZE);
		return NULL;
	}
	struct exchange *exchange = exchange_new(core, request);
	exchange->key = key;
	exchange->is_single = true;
	return exchange;
}

void devices_show(struct core *core, struct http_request *request, const char *tail)
{
	struct exchange *exchange = exchange_of_key(core, request, tail);
	if (!exchange)
		return;
	exchange->full = is_full(request);
	exchange->inquiry.query = (struct registry_query){.key = &exchange->key};
	inquiry_ask_registry(core, &exchange->inquiry, REGISTRY_LIST, on_listed);
}

static void on_removed(struct inquiry *inquiry, int status)
{
	struct exchange *exchange = MEM_CONTAINER(inquiry, struct exchange, inquiry);
	struct core *core = exchange->core;
	/* Gone is gone, whether or not somebody still waits to hear it. */
	for (size_t i = 0; !status && i < inquiry->job.gone_count; i++) {
		core->metrics->gone[METRICS_GONE_removed]++;
		core_store(core, schedule_drop(core->schedule, &inquiry->job.gone[i]));
	}
	if (is_over(exchange, status))
		return;
	if (inquiry->job.gone_count)
		reply_json(exchange->request, 200, json_pack("{si}", "removed", 1));
	else
		reply_error(exchange->request, 404, "no device has this key");
	exchange_free(exchange);
}

void devices_remove(struct core *core, struct http_request *request, const char *tail)
{
	struct exchange *exchange = exchange_of_key(core, request, tail);
	if (!exchange)
		return;
	exchange->inquiry.job.keys = &exchange->key;
	exchange->inquiry.job.key_count = 1;
	inquiry_ask_registry(core, &exchange->inquiry, REGISTRY_REMOVE, on_removed);
}

static void on_pruned(void *ctx, const struct tidy_result *result)
{
	if (result->status)
		reply_error(ctx, 503, "mailpushd is stopping");
	else
		reply_json(ctx, 200,
			json_pack("{sI,sI,sI}", "removed", (json_int_t)result->gone, "nudged",
				(json_int_t)result->nudged, "kept_back",
				(json_int_t)result->kept_back));
}

static void on_prune_gone(void *ctx)
{
	tidy_forget(ctx);
}

void devices_prune(struct core *core, struct http_request *request, const char *tail)
{
	(void)tail;
	if (!tidy_ask(core->tidy, on_pruned, request)) {
		reply_error(request, 409, "somebody prunes already; try again in a moment");
		return;
	}
	http_defer(request, on_prune_gone, core->tidy);
}
