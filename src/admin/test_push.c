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
	json_t *json; /* borrowed from the test's answer */
	bool is_waiting;
	bool is_flying; /* an earlier push, whose answer comes first */
};

struct test {
	struct db_query db_query;
	struct event_stream_listener listener;
	const struct services *services;
	struct http_request *request; /* NULL: gone */
	char *user;
	char *mailbox; /* as asked for; "": the best for each */
	uv_timer_t timer;
	bool is_listening;
	bool is_asking; /* the registry has our question; no answer before it is back */
	json_t *devices;
	struct device *waiting;
	size_t count;
	size_t open;
};

static void on_closed(uv_handle_t *handle)
{
	struct test *test = handle->data;
	db_query_fini(&test->db_query);
	json_decref(test->devices);
	free(test->user);
	free(test->mailbox);
	free(test->waiting);
	free(test);
}

static void end(struct test *test)
{
	if (test->is_listening)
		event_stream_unlisten(&test->listener);
	uv_close((uv_handle_t *)&test->timer, on_closed);
}

static void on_gone(void *ctx)
{
	struct test *test = ctx;
	test->request = NULL;
	if (!test->is_asking)
		end(test);
}

static void set(json_t *json, const char *key, const char *text)
{
	json_object_set_new(json, key, response_text(text));
}

static void answer(struct test *test)
{
	response_json(test->request, 200,
		json_pack("{so,sO}", "user", response_text(test->user), "devices", test->devices));
	end(test);
}

static void on_timer(uv_timer_t *timer)
{
	struct test *test = timer->data;
	for (size_t i = 0; i < test->count; i++) {
		struct device *device = &test->waiting[i];
		if (!device->is_waiting)
			continue;
		const char *topic = json_string_value(json_object_get(device->json, "topic"));
		char trouble[HELD_CREDENTIAL_TEXT_MAX];
		set(device->json, "state", "waiting");
		set(device->json, "meaning",
			held_credential_explain(test->services, topic, trouble)
				? trouble
				: "Apple has not answered yet; the push waits in the queue");
	}
	answer(test);
}

static void set_meaning(
	const struct test *test, const struct device *device, const struct apns_answer *answered)
{
	const char *topic = json_string_value(json_object_get(device->json, "topic"));
	const char *meaning = explain_answer(answered->ending, answered->status, answered->reason);
	char trouble[HELD_CREDENTIAL_TEXT_MAX];
	bool is_taken = answered->status == 200;
	bool is_troubled = !is_taken && held_credential_explain(test->services, topic, trouble);
	mem_auto char *both =
		mem_printf("%s%s%s", meaning, is_troubled ? "; " : "", is_troubled ? trouble : "");
	set(device->json, "meaning", both);
}

static void on_answered(struct event_stream_listener *listener, const struct registry_key *key,
	const struct apns_answer *answered, const char *then)
{
	struct test *test = MEM_CONTAINER(listener, struct test, listener);
	for (size_t i = 0; i < test->count; i++) {
		struct device *device = &test->waiting[i];
		if (!device->is_waiting || memcmp(&device->key, key, sizeof(*key)) != 0)
			continue;
		if (device->is_flying) {
			device->is_flying = false;
			return;
		}
		device->is_waiting = false;
		test->open--;
		set(device->json, "state", "answered");
		set(device->json, "result", metrics_ending_name(answered->ending));
		json_object_set_new(device->json, "status", json_integer(answered->status));
		set(device->json, "reason", answered->reason);
		set(device->json, "then", then);
		set_meaning(test, device, answered);
	}
	if (!test->open && !test->is_asking)
		answer(test);
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

/* The mailbox that was asked for; otherwise INBOX, or else the first. */
static const struct registry_subscription *choose(
	const struct test *test, const struct registry_listed *listed)
{
	const char *wanted = *test->mailbox ? test->mailbox : "INBOX";
	for (size_t i = 0; i < listed->subscription_count; i++)
		if (is_name(listed->subscriptions[i].name, wanted))
			return &listed->subscriptions[i];
	return *test->mailbox || !listed->subscription_count ? NULL : listed->subscriptions;
}

/* NULL: it can be pushed to. */
static const char *why_not(const struct test *test, const struct registry_listed *listed)
{
	if (listed->stopped_reason)
		return "Apple refused this device for good; nothing is sent until it registers "
		       "again";
	if (!listed->subscription_count)
		return "the phone registered no mailbox";
	if (!choose(test, listed))
		return "the phone did not register this mailbox, so it would not refresh it";
	if (!sender_has_credential(test->services->sender, listed->target->topic))
		return "no credential for the topic that the phone registered with; add its "
		       "certificate to mailpush.conf";
	return NULL;
}

/* Why the phone is told of nothing but this push; NULL: news is pushed to it too. */
static const char *why_no_news(const struct test *test, const struct registry_listed *listed)
{
	if (!user_settings_is_pushed_to(test->services->config->users, listed->target->user))
		return "this is a test: ordinary news is not pushed to this user, as mailpush.conf "
		       "says push = no in user_settings";
	if (listed->suspended_ms)
		return "this is a test: ordinary news is not pushed to this phone, as the account "
		       "was deleted, until an event shows that it is back";
	return NULL;
}

static void push_to(struct test *test, struct registry_listed *listed)
{
	const struct push_target *target = listed->target;
	struct device *device = &test->waiting[test->count++];
	*device = (struct device){.key = target->key};
	device->json = json_pack("{so,so,so,so}", "key", response_key(&target->key), "token",
		response_secret(target->token, false), "account_id",
		response_secret(target->account_id, false), "topic", response_text(target->topic));
	const char *no_news = why_no_news(test, listed);
	json_object_set_new(device->json, "note", no_news ? json_string(no_news) : json_null());
	json_array_append_new(test->devices, device->json);
	const char *against = why_not(test, listed);
	if (against) {
		set(device->json, "state", "not_sent");
		set(device->json, "meaning", against);
		return;
	}
	const struct services *services = test->services;
	const char *state = queue_state(services->queue, &target->key);
	device->is_flying = state && !strcmp(state, "flying");
	device->is_waiting = true;
	test->open++;
	char hashes[1][MAILBOX_HASH_SIZE];
	memcpy(hashes[0], choose(test, listed)->hash, MAILBOX_HASH_SIZE);
	queue_add(services->queue, push_target_ref(listed->target),
		(const char(*)[MAILBOX_HASH_SIZE])hashes, 1, QUEUE_URGENT, NULL);
}

static void begin(struct test *test)
{
	log_seldom(LOG_LEVEL_INFO, "control", "test pushes", test->user, "test push",
		log_text("user", test->user));
	test->listener.answered = on_answered;
	test->is_listening = true;
	event_stream_listen(test->services->event_stream, &test->listener);
}

static void on_listed(struct db_query *db_query, int status)
{
	struct test *test = MEM_CONTAINER(db_query, struct test, db_query);
	test->is_asking = false;
	if (!test->request) {
		end(test);
		return;
	}
	const struct registry_listing *listing = db_query->job.listing;
	if (status || (!listing->count && !test->count)) {
		if (status)
			response_undone(test->request, status, db_query->job.refusal);
		else
			response_error(test->request, 404,
				"user %s has no registered device; on the phone, set the account "
				"to Push in Fetch New Data, then open Mail and refresh",
				test->user);
		end(test);
		return;
	}
	if (!test->is_listening)
		begin(test);
	test->waiting = mem_realloc_array(
		test->waiting, test->count + listing->count, sizeof(*test->waiting));
	for (size_t i = 0; i < listing->count; i++)
		push_to(test, &listing->listed[i]);
	sender_hurry(test->services->sender);
	if (listing->has_more) {
		test->is_asking = true;
		db_query_ask_next_page(test->services, db_query, on_listed);
	} else if (test->open) {
		uv_timer_start(&test->timer, on_timer, TEST_PUSH_WAIT_MS, 0);
	} else {
		answer(test);
	}
}

void test_push(const struct services *services, struct http_request *request, const char *tail)
{
	(void)tail;
	struct request_params params;
	if (!deferred_request_read_params(request, &params))
		return;
	if (!*params.user) {
		response_error(request, 400, "the user is missing, as in {\"user\":\"alice\"}");
	} else {
		struct test *test = mem_alloc_zero(1, sizeof(*test));
		test->services = services;
		test->request = request;
		test->user = mem_dup(params.user);
		test->mailbox = mem_dup(params.mailbox);
		test->devices = json_array();
		uv_timer_init(services->loop, &test->timer);
		test->timer.data = test;
		test->is_asking = true;
		test->db_query.query = (struct registry_query){.user = test->user, .limit = PAGE};
		http_defer(request, on_gone, test);
		db_query_ask_registry(services, &test->db_query, REGISTRY_LIST, on_listed);
	}
	request_params_fini(&params);
}
