#include "admin/test_push.h"

#include "admin/deferred_request.h"
#include "apns/explain.h"
#include "base/mem.h"
#include "config/config_file.h"
#include "config/input_files.h"
#include "flow/probe.h"
#include "monitor/held_credential.h"
#include "monitor/response.h"

#include <stdarg.h>
#include <string.h>

#define EXPIRES_SOON_MS (30 * CLOCK_DAY_MS)

struct check {
	const struct services *services;
	struct http_request *request; /* NULL: gone */
	bool is_online;
	uv_work_t work;
	bool is_reading;
	struct config *config; /* a copy: a reload may change the other one meanwhile */
	struct input_files *input_files;
	json_t *credentials;
	struct online {
		struct check *check;
		struct probe *probe; /* NULL: not asked, or answered */
		const char *topic;   /* borrowed */
		json_t *json;	     /* borrowed */
	} online[CONFIG_CREDENTIALS_MAX];
	unsigned open;
	uv_timer_t
		timer; /* begun once the files are read: until then parts.c may close all handles */
};

static void check_free(struct check *check)
{
	input_files_free(check->input_files);
	config_file_free(check->config);
	json_decref(check->credentials);
	free(check);
}

static void on_closed(uv_handle_t *handle)
{
	check_free(handle->data);
}

static void end(struct check *check)
{
	for (unsigned i = 0; i < CONFIG_CREDENTIALS_MAX; i++)
		if (check->online[i].probe)
			probe_cancel(mem_steal(check->online[i].probe));
	uv_close((uv_handle_t *)&check->timer, on_closed);
}

static void on_gone(void *ctx)
{
	struct check *check = ctx;
	check->request = NULL;
	if (!check->is_reading)
		end(check);
}

static void answer(struct check *check)
{
	const struct services *services = check->services;
	response_json(check->request, 200,
		json_pack("{so,so,sO}", "apns_host", response_text(services->config->apns_host),
			"aps_topic", response_text(check->input_files->imapdconf->aps_topic),
			"credentials", check->credentials));
	end(check);
}

static void add_finding(json_t *json, const char *level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void add_finding(json_t *json, const char *level, const char *format, ...)
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

/* Returns whether there was one. */
static bool add_trouble(const struct check *check, json_t *json, const char *topic)
{
	char text[HELD_CREDENTIAL_TEXT_MAX];
	bool is_found = held_credential_explain(check->services, topic, text);
	if (is_found)
		add_finding(json, "fail", "%s", text);
	return is_found;
}

/* Is it valid now? */
static bool check_dates(json_t *json, const struct credential *credential)
{
	if (credential->not_after_unix_ms == INT64_MAX) {
		json_object_set_new(json, "days_left", json_null());
		add_finding(json, "ok", "the key is readable; it does not expire");
		return true;
	}
	struct err err;
	int64_t left_ms = credential->not_after_unix_ms - clock_unix_ms();
	int days = (int)(left_ms / CLOCK_DAY_MS);
	json_object_set_new(json, "days_left", json_integer(days));
	add_finding(json, "ok", "certificate and key are readable and match");
	bool is_valid = credential_check_dates(credential, clock_unix_ms(), &err) == 0;
	if (!is_valid)
		add_finding(json, "fail", "%s", err.text);
	else
		add_finding(json, left_ms < EXPIRES_SOON_MS ? "warn" : "ok",
			"valid for another %d days%s", days,
			left_ms < EXPIRES_SOON_MS ? "; renew it in time, Apple may need days" : "");
	return is_valid;
}

static void check_loaded(struct check *check, json_t *json, const struct credential *credential)
{
	const char *aps_topic = check->input_files->imapdconf->aps_topic;
	json_t *topics = json_array();
	for (unsigned i = 0; i < credential->topics.count; i++)
		json_array_append_new(topics, response_text(credential->topics.topic[i]));
	json_object_set_new(json, "topic", response_text(credential->topic));
	json_object_set_new(json, "topics", topics);
	json_object_set_new(json, "valid_from", response_time(credential->not_before_unix_ms));
	json_object_set_new(json, "expires", response_time(credential->not_after_unix_ms));
	bool is_valid = check_dates(json, credential);
	for (unsigned i = 0; i < credential->warning_count; i++)
		add_finding(json, "warn", "%s", credential->warnings[i]);
	bool has_cyrus = *check->services->config->imapd_conf;
	if (has_cyrus && !strcmp(credential->topic, aps_topic))
		add_finding(json, "ok", "its topic is aps_topic in imapd.conf");
	else if (has_cyrus)
		add_finding(json, "warn",
			"its topic %s is not aps_topic (%s) of imapd.conf: phones that register "
			"now will not use it",
			credential->topic, *aps_topic ? aps_topic : "not set");

	struct comparison comparison = {.loaded = credential, .name = credential->name};
	sender_each_way(check->services->sender, on_way, &comparison);
	if (!comparison.is_in_force)
		add_finding(json, "warn",
			"it is not in force: reload mailpushd, or check whether another credential "
			"has the same topic");
	else if (!comparison.is_same)
		add_finding(json, "warn",
			"the file is newer than the credential in force: reload mailpushd");
	else
		add_finding(json, "ok", "it is in force");
	if (!check->is_online && is_valid)
		add_trouble(check, json, credential->topic);
}

static void add_refusal(const struct online *online, const struct apns_answer *answered)
{
	const char *meaning = explain_answer(answered->ending, answered->status, answered->reason);
	char trouble[HELD_CREDENTIAL_TEXT_MAX] = "";
	held_credential_explain(online->check->services, online->topic, trouble);
	const char *and = *trouble ? "; " : "";
	if (answered->ending == APNS_ANSWERED)
		add_finding(online->json, "fail", "Apple answered %d %s: %s%s%s", answered->status,
			answered->reason, meaning, and, trouble);
	else
		add_finding(online->json, "fail", "%s%s%s", meaning, and, trouble);
}

static void on_probed(void *ctx, const struct apns_answer *answered, const struct verdict *verdict)
{
	(void)verdict;
	struct online *online = ctx;
	struct check *check = online->check;
	online->probe = NULL;
	check->open--;
	if (probe_is_accepted(answered))
		add_finding(online->json, "ok",
			"Apple accepts it (a push to a token of zeros was answered %d %s)",
			answered->status, answered->reason);
	else
		add_refusal(online, answered);
	if (!check->open)
		answer(check);
}

static void on_timer(uv_timer_t *timer)
{
	struct check *check = timer->data;
	for (unsigned i = 0; i < CONFIG_CREDENTIALS_MAX; i++) {
		struct online *online = &check->online[i];
		if (online->probe && !add_trouble(check, online->json, online->topic))
			add_finding(online->json, "fail",
				"Apple did not answer within %d seconds; check `mailpushctl "
				"status` and the connection to the Internet",
				TEST_PUSH_WAIT_MS / 1000);
	}
	answer(check);
}

static void ask_apple(struct check *check, unsigned i, json_t *json)
{
	struct online *online = &check->online[i];
	const struct credential *credential = check->input_files->credentials[i];
	struct err err;
	online->check = check;
	online->json = json;
	online->topic = credential->topic;
	if (!sender_has_credential(check->services->sender, credential->topic)) {
		add_finding(json, "fail", "Apple was not asked, as it is not in force");
		return;
	}
	if (credential_check_dates(credential, clock_unix_ms(), &err)) {
		add_finding(json, "fail", "Apple was not asked, as it is not valid now");
		return;
	}
	check->open++;
	online->probe = probe_new(
		check->services->probes, credential->topic, PROBE_FIRST, on_probed, online);
}

static void check_all(struct check *check)
{
	uv_timer_init(check->services->loop, &check->timer);
	check->timer.data = check;
	const struct input_files *input_files = check->input_files;
	for (unsigned i = 0; i < input_files->credential_count; i++) {
		const struct credential_files *files = &check->config->credentials[i];
		json_t *json = json_pack(
			"{so,so}", "name", response_text(files->name), "findings", json_array());
		json_array_append_new(check->credentials, json);
		if (input_files->credentials[i])
			check_loaded(check, json, input_files->credentials[i]);
		else
			add_finding(json, "fail", "%s", input_files->credential_errors[i].text);
		if (input_files->credentials[i] && check->is_online)
			ask_apple(check, i, json);
	}
	if (check->is_online)
		sender_hurry(check->services->sender);
	if (check->open)
		uv_timer_start(&check->timer, on_timer, TEST_PUSH_WAIT_MS, 0);
	else
		answer(check);
}

static void on_work(uv_work_t *work)
{
	struct check *check = work->data;
	check->input_files = input_files_read(check->config);
}

static void on_worked(uv_work_t *work, int cancelled)
{
	struct check *check = work->data;
	(void)cancelled;
	check->is_reading = false;
	if (!check->request) {
		check_free(check);
		return;
	}
	if (!check->input_files->imapdconf) {
		response_error(check->request, 500, "%s", check->input_files->imapdconf_error.text);
		check_free(check);
		return;
	}
	check_all(check);
}

void test_credentials(
	const struct services *services, struct http_request *request, const char *tail)
{
	(void)tail;
	struct request_params params;
	if (!deferred_request_read_params(request, &params))
		return;
	struct check *check = mem_alloc_zero(1, sizeof(*check));
	check->services = services;
	check->request = request;
	check->is_online = params.online;
	check->config = config_file_copy_inputs(services->config);
	check->credentials = json_array();
	check->work.data = check;
	check->is_reading = true;
	http_defer(request, on_gone, check);
	uv_queue_work(services->loop, &check->work, on_work, on_worked);
	request_params_fini(&params);
}
