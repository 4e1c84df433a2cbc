#include "admin/test_push.h"

#include "admin/deferred_request.h"
#include "apns/explain.h"
#include "base/mem.h"
#include "config/input_files.h"
#include "flow/probe.h"
#include "monitor/held_credential.h"
#include "monitor/response.h"

#include <stdarg.h>
#include <string.h>

#define EXPIRES_SOON_MS (30 * CLOCK_DAY_MS)

struct examination {
	const struct services *services;
	struct http_request *request; /* NULL: gone */
	bool is_online;
	uv_work_t work;
	bool is_reading;
	struct input_files *input_files;
	json_t *credentials;
	struct online {
		struct examination *examination;
		struct probe *probe; /* NULL: not asked, or answered */
		const char *topic;   /* borrowed */
		json_t *json;	     /* borrowed */
	} online[CONFIG_CREDENTIALS_MAX];
	unsigned open;
	uv_timer_t timer; /* once the files are read: till then parts.c may close all handles */
};

static void examination_free(struct examination *examination)
{
	input_files_free(examination->input_files);
	json_decref(examination->credentials);
	free(examination);
}

static void on_closed(uv_handle_t *handle)
{
	examination_free(handle->data);
}

static void end(struct examination *examination)
{
	for (unsigned i = 0; i < CONFIG_CREDENTIALS_MAX; i++)
		if (examination->online[i].probe)
			probe_cancel(mem_steal(examination->online[i].probe));
	uv_close((uv_handle_t *)&examination->timer, on_closed);
}

static void on_gone(void *ctx)
{
	struct examination *examination = ctx;
	examination->request = NULL;
	if (!examination->is_reading)
		end(examination);
}

static void answer(struct examination *examination)
{
	const struct services *services = examination->services;
	response_json(examination->request, 200,
		json_pack("{so,so,sO}", "apns_host", response_text(services->config->apns_host),
			"aps_topic", response_text(examination->input_files->imapdconf->aps_topic),
			"credentials", examination->credentials));
	end(examination);
}

static void find(json_t *json, const char *level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void find(json_t *json, const char *level, const char *format, ...)
{
	char text[2 * ERR_TEXT_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	json_array_append_new(json_object_get(json, "findings"),
		json_pack("{ss,so}", "level", level, "text", response_text(text)));
}

struct comparison {
	const struct credential *loaded;
	const char *name;
	bool is_in_force;
	bool is_same;
};

static void on_way(void *ctx, const struct sender_way *way)
{
	struct comparison *comparison = ctx;
	if (strcmp(way->credential->name, comparison->name) != 0)
		return;
	comparison->is_in_force = true;
	comparison->is_same = credential_equal(way->credential, comparison->loaded);
}

/* Whether there was one to find. */
static bool find_trouble(const struct examination *examination, json_t *json, const char *topic)
{
	char text[HELD_CREDENTIAL_TEXT_MAX];
	bool is_found = held_credential_tell(examination->services, topic, text);
	if (is_found)
		find(json, "fail", "%s", text);
	return is_found;
}

static void examine_dates(json_t *json, const struct credential *credential)
{
	if (credential->not_after_unix_ms == INT64_MAX) {
		json_object_set_new(json, "days_left", json_null());
		find(json, "ok", "the key can be read; it does not expire");
		return;
	}
	struct err err;
	int64_t left_ms = credential->not_after_unix_ms - clock_unix_ms();
	int days = (int)(left_ms / CLOCK_DAY_MS);
	json_object_set_new(json, "days_left", json_integer(days));
	find(json, "ok", "certificate and key can be read and fit each other");
	if (credential_check_dates(credential, clock_unix_ms(), &err))
		find(json, "fail", "%s", err.text);
	else
		find(json, left_ms < EXPIRES_SOON_MS ? "warn" : "ok", "valid for %d more days%s",
			days,
			left_ms < EXPIRES_SOON_MS ? "; renew it in time, Apple may need days" : "");
}

static void examine_loaded(
	struct examination *examination, json_t *json, const struct credential *credential)
{
	const char *aps_topic = examination->input_files->imapdconf->aps_topic;
	json_t *topics = json_array();
	for (unsigned i = 0; i < credential->topics.count; i++)
		json_array_append_new(topics, response_text(credential->topics.topic[i]));
	json_object_set_new(json, "topic", response_text(credential->topic));
	json_object_set_new(json, "topics", topics);
	json_object_set_new(json, "valid_from", response_time(credential->not_before_unix_ms));
	json_object_set_new(json, "expires", response_time(credential->not_after_unix_ms));
	examine_dates(json, credential);
	for (unsigned i = 0; i < credential->warning_count; i++)
		find(json, "warn", "%s", credential->warnings[i]);
	if (!strcmp(credential->topic, aps_topic))
		find(json, "ok", "its topic is aps_topic in imapd.conf");
	else
		find(json, "warn",
			"its topic %s is not aps_topic (%s) of imapd.conf: phones that register "
			"now do not use it",
			credential->topic, *aps_topic ? aps_topic : "not set");

	struct comparison comparison = {.loaded = credential, .name = credential->name};
	sender_each_way(examination->services->sender, on_way, &comparison);
	if (!comparison.is_in_force)
		find(json, "warn",
			"it is not in force: reload mailpushd, or see whether another credential "
			"has the same topic");
	else if (!comparison.is_same)
		find(json, "warn", "the file is newer than what is in force: reload mailpushd");
	else
		find(json, "ok", "it is in force");
	if (!examination->is_online)
		find_trouble(examination, json, credential->topic);
}

static void find_refusal(const struct online *online, const struct apns_answer *answered)
{
	const char *meaning = explain_answer(answered->ending, answered->status, answered->reason);
	char trouble[HELD_CREDENTIAL_TEXT_MAX] = "";
	held_credential_tell(online->examination->services, online->topic, trouble);
	const char *and = *trouble ? "; " : "";
	if (answered->ending == APNS_ANSWERED)
		find(online->json, "fail", "Apple answered %d %s: %s%s%s", answered->status,
			answered->reason, meaning, and, trouble);
	else
		find(online->json, "fail", "%s%s%s", meaning, and, trouble);
}

static void on_probed(void *ctx, const struct apns_answer *answered, const struct verdict *verdict)
{
	(void)verdict;
	struct online *online = ctx;
	struct examination *examination = online->examination;
	online->probe = NULL;
	examination->open--;
	if (probe_is_accepted(answered))
		find(online->json, "ok",
			"Apple accepts it (a push to a token of zeros was answered %d %s)",
			answered->status, answered->reason);
	else
		find_refusal(online, answered);
	if (!examination->open)
		answer(examination);
}

static void on_timer(uv_timer_t *timer)
{
	struct examination *examination = timer->data;
	for (unsigned i = 0; i < CONFIG_CREDENTIALS_MAX; i++) {
		struct online *online = &examination->online[i];
		if (online->probe && !find_trouble(examination, online->json, online->topic))
			find(online->json, "fail",
				"Apple did not answer within %d seconds; look at `mailpushctl "
				"status` and at the way to the Internet",
				TEST_PUSH_WAIT_MS / 1000);
	}
	answer(examination);
}

static void ask_apple(struct examination *examination, unsigned i, json_t *json)
{
	struct online *online = &examination->online[i];
	const struct credential *credential = examination->input_files->credentials[i];
	struct err err;
	online->examination = examination;
	online->json = json;
	online->topic = credential->topic;
	if (!sender_has_credential(examination->services->sender, credential->topic)) {
		find(json, "fail", "Apple was not asked, as it is not in force");
		return;
	}
	if (credential_check_dates(credential, clock_unix_ms(), &err)) {
		find(json, "fail", "Apple was not asked, as it is out of its time");
		return;
	}
	examination->open++;
	online->probe = probe_new(
		examination->services->probes, credential->topic, PROBE_FIRST, on_probed, online);
}

static void examine(struct examination *examination)
{
	uv_timer_init(examination->services->loop, &examination->timer);
	examination->timer.data = examination;
	const struct input_files *input_files = examination->input_files;
	for (unsigned i = 0; i < input_files->credential_count; i++) {
		const struct credential_files *files =
			&examination->services->config->credentials[i];
		json_t *json = json_pack(
			"{so,so}", "name", response_text(files->name), "findings", json_array());
		json_array_append_new(examination->credentials, json);
		if (input_files->credentials[i])
			examine_loaded(examination, json, input_files->credentials[i]);
		else
			find(json, "fail", "%s", input_files->credential_errors[i].text);
		if (input_files->credentials[i] && examination->is_online)
			ask_apple(examination, i, json);
	}
	if (examination->is_online)
		sender_hurry(examination->services->sender);
	if (examination->open)
		uv_timer_start(&examination->timer, on_timer, TEST_PUSH_WAIT_MS, 0);
	else
		answer(examination);
}

static void on_work(uv_work_t *work)
{
	struct examination *examination = work->data;
	examination->input_files = input_files_read(examination->services->config);
}

static void on_worked(uv_work_t *work, int cancelled)
{
	struct examination *examination = work->data;
	(void)cancelled;
	examination->is_reading = false;
	if (!examination->request) {
		examination_free(examination);
		return;
	}
	if (!examination->input_files->imapdconf) {
		response_error(examination->request, 500, "%s",
			examination->input_files->imapdconf_error.text);
		examination_free(examination);
		return;
	}
	examine(examination);
}

void test_credentials(
	const struct services *services, struct http_request *request, const char *tail)
{
	(void)tail;
	struct request_params ask;
	if (!deferred_request_asks(request, &ask))
		return;
	struct examination *examination = mem_alloc_zero(1, sizeof(*examination));
	examination->services = services;
	examination->request = request;
	examination->is_online = ask.online;
	examination->credentials = json_array();
	examination->work.data = examination;
	examination->is_reading = true;
	http_defer(request, on_gone, examination);
	uv_queue_work(services->loop, &examination->work, on_work, on_worked);
	request_params_fini(&ask);
}
