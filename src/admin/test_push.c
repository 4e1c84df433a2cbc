#include "admin/test_push.h"

#include "admin/deferred_request.h"
#include "admin/request_params.h"
#include "apns/explain.h"
#include "base/log.h"
#include "base/mem.h"
#include "event/utf7.h"
#include "flow/delivery.h"
#include "monitor/event_stream.h"
#include "monitor/held_credential.h"
#include "monitor/response.h"

#include <string.h>

#define PAGE 1000 /* of registrations */

struct device {
	struct registry_key key;
	json_t *json; /* borrowed from the trial's answer */
	bool is_waiting;
	bool is_flying; /* something else, whose answer comes first */
};

struct trial {
	struct db_query db_query;
	struct event_stream_listener listener;
	const struct services *services;
	struct http_request *request; /* NULL: gone */
	char *user;
	char *mailbox; /* as asked for; "": the best for each */
	uv_timer_t timer;
	bool is_listening;
	bool is_asking; /* the registry has our question; nothing is answered before */
	json_t *devices;
	struct device *waiting;
	size_t count;
	size_t open;
};

static void on_closed(uv_handle_t *handle)
{
	struct trial *trial = handle->data;
	db_query_fini(&trial->db_query);
	json_decref(trial->devices);
	free(trial->user);
	free(trial->mailbox);
	free(trial->waiting);
	free(trial);
}

static void end(struct trial *trial)
{
	if (trial->is_listening)
		event_stream_unlisten(trial->services->event_stream, &trial->listener);
	uv_close((uv_handle_t *)&trial->timer, on_closed);
}

static void on_gone(void *ctx)
{
	struct trial *trial = ctx;
	trial->request = NULL;
	if (!trial->is_asking)
		end(trial);
}

static void set(json_t *json, const char *key, const char *text)
{
	json_object_set_new(json, key, response_text(text));
}

static void answer(struct trial *trial)
{
	response_json(trial->request, 200,
		json_pack(
			"{so,sO}", "user", response_text(trial->user), "devices", trial->devices));
	end(trial);
}

static void on_timer(uv_timer_t *timer)
{
	struct trial *trial = timer->data;
	for (size_t i = 0; i < trial->count; i++) {
		struct device *device = &trial->waiting[i];
		if (!device->is_waiting)
			continue;
		const char *topic = json_string_value(json_object_get(device->json, "topic"));
		char trouble[HELD_CREDENTIAL_TEXT_MAX];
		set(device->json, "state", "waiting");
		set(device->json, "meaning",
			held_credential_tell(trial->services, topic, trouble)
				? trouble
				: "Apple has not answered yet; the push waits in the queue");
	}
	answer(trial);
}

static void set_meaning(
	const struct trial *trial, const struct device *device, const struct apns_answer *answered)
{
	const char *topic = json_string_value(json_object_get(device->json, "topic"));
	const char *meaning = explain_answer(answered->ending, answered->status, answered->reason);
	char trouble[HELD_CREDENTIAL_TEXT_MAX];
	bool is_taken = answered->status == 200;
	bool is_troubled = !is_taken && held_credential_tell(trial->services, topic, trouble);
	mem_auto char *both =
		mem_printf("%s%s%s", meaning, is_troubled ? "; " : "", is_troubled ? trouble : "");
	set(device->json, "meaning", both);
}

static void on_answered(struct event_stream_listener *listener, const struct registry_key *key,
	const struct apns_answer *answered, const char *then)
{
	struct trial *trial = MEM_CONTAINER(listener, struct trial, listener);
	for (size_t i = 0; i < trial->count; i++) {
		struct device *device = &trial->waiting[i];
		if (!device->is_waiting || memcmp(&device->key, key, sizeof(*key)) != 0)
			continue;
		if (device->is_flying) {
			device->is_flying = false;
			return;
		}
		device->is_waiting = false;
		trial->open--;
		set(device->json, "state", "answered");
		set(device->json, "result", metrics_ending_name(answered->ending));
		json_object_set_new(device->json, "status", json_integer(answered->status));
		set(device->json, "reason", answered->reason);
		set(device->json, "then", then);
		set_meaning(trial, device, answered);
	}
	if (!trial->open && !trial->is_asking)
		answer(trial);
}

static bool is_name(const char *registered, const char *asked)
{
	size_t size = strlen(registered);
	mem_auto char *decoded = mem_alloc(UTF7_DECODED_MAX(size));
	size_t decoded_size;
	if (!strcmp(registered, asked))
		return true;
	if (utf7_decode(registered, size, decoded, &decoded_size))
		return false;
	return decoded_size == strlen(asked) && !memcmp(decoded, asked, decoded_size);
}

/* The one that was asked for; else INBOX, else the first. */
static const struct registry_subscription *choose(
	const struct trial *trial, const struct registry_listed *listed)
{
	const char *wanted = *trial->mailbox ? trial->mailbox : "INBOX";
	for (size_t i = 0; i < listed->subscription_count; i++)
		if (is_name(listed->subscriptions[i].name, wanted))
			return &listed->subscriptions[i];
	return *trial->mailbox || !listed->subscription_count ? NULL : listed->subscriptions;
}

/* NULL: nothing speaks against a push. */
static const char *why_not(const struct trial *trial, const struct registry_listed *listed)
{
	if (listed->stopped_reason)
		return "Apple refused this device for good; nothing is sent until it registers "
		       "again";
	if (!listed->subscription_count)
		return "the phone registered no mailbox";
	if (!choose(trial, listed))
		return "the phone did not register this mailbox, and would not refresh it";
	if (!sender_has_credential(trial->services->sender, listed->target->topic))
		return "no credential for the topic that the phone registered with; add its "
		       "certificate to mailpush.conf";
	return NULL;
}

static void push_to(struct trial *trial, struct registry_listed *listed)
{
	const struct push_target *target = listed->target;
	struct device *device = &trial->waiting[trial->count++];
	*device = (struct device){.key = target->key};
	device->json = json_pack("{so,so,so,so}", "key", response_key(&target->key), "token",
		response_secret(target->token, false), "account_id",
		response_secret(target->account_id, false), "topic", response_text(target->topic));
	json_array_append_new(trial->devices, device->json);
	const char *against = why_not(trial, listed);
	if (against) {
		set(device->json, "state", "not_sent");
		set(device->json, "meaning", against);
		return;
	}
	const struct services *services = trial->services;
	const char *state = queue_state(services->queue, &target->key);
	device->is_flying = state && !strcmp(state, "flying");
	device->is_waiting = true;
	trial->open++;
	char hashes[1][MAILBOX_HASH_SIZE];
	memcpy(hashes[0], choose(trial, listed)->hash, MAILBOX_HASH_SIZE);
	queue_add(services->queue, push_target_ref(listed->target),
		(const char(*)[MAILBOX_HASH_SIZE])hashes, 1, QUEUE_URGENT, NULL);
}

static void begin(struct trial *trial)
{
	log_seldom(LOG_LEVEL_INFO, "control", "test pushes", trial->user, "test push",
		log_text("user", trial->user));
	trial->listener.answered = on_answered;
	trial->is_listening = true;
	event_stream_listen(trial->services->event_stream, &trial->listener);
}

static void on_listed(struct db_query *db_query, int status)
{
	struct trial *trial = MEM_CONTAINER(db_query, struct trial, db_query);
	trial->is_asking = false;
	if (!trial->request) {
		end(trial);
		return;
	}
	const struct registry_listing *listing = db_query->job.listing;
	if (status || (!listing->count && !trial->count)) {
		if (status)
			response_error(trial->request, 503, "mailpushd is stopping");
		else
			response_error(trial->request, 404,
				"user %s has no registered device; on the phone, open Mail and "
				"refresh, and see that the account's Fetch New Data is Push",
				trial->user);
		end(trial);
		return;
	}
	if (!trial->is_listening)
		begin(trial);
	trial->waiting = mem_realloc_array(
		trial->waiting, trial->count + listing->count, sizeof(*trial->waiting));
	for (size_t i = 0; i < listing->count; i++)
		push_to(trial, &listing->listed[i]);
	sender_hurry(trial->services->sender);
	if (listing->has_more) {
		trial->is_asking = true;
		db_query_ask_next_page(trial->services, db_query, on_listed);
	} else if (trial->open) {
		uv_timer_start(&trial->timer, on_timer, TEST_PUSH_WAIT_MS, 0);
	} else {
		answer(trial);
	}
}

void test_push(const struct services *services, struct http_request *request, const char *tail)
{
	(void)tail;
	struct request_params ask;
	if (!deferred_request_asks(request, &ask))
		return;
	if (!*ask.user) {
		response_error(
			request, 400, "whom to push to is missing, as in {\"user\":\"alice\"}");
	} else {
		struct trial *trial = mem_alloc_zero(1, sizeof(*trial));
		trial->services = services;
		trial->request = request;
		trial->user = mem_dup(ask.user);
		trial->mailbox = mem_dup(ask.mailbox);
		trial->devices = json_array();
		uv_timer_init(services->loop, &trial->timer);
		trial->timer.data = trial;
		trial->is_asking = true;
		trial->db_query.query = (struct registry_query){.user = trial->user, .limit = PAGE};
		http_defer(request, on_gone, trial);
		db_query_ask_registry(services, &trial->db_query, REGISTRY_LIST, on_listed);
	}
	request_params_fini(&ask);
}
