#include "admin/registration_json.h"

#include "admin/request_params.h"
#include "credential/topics.h"
#include "monitor/response.h"

#include <errno.h>
#include <string.h>

static void add_time(json_t *json, const char *key, int64_t unix_ms)
{
	if (unix_ms)
		json_object_set_new(json, key, response_time(unix_ms));
}

json_t *registration_json_of(const struct registry_listed *listed)
{
	const struct push_target *target = listed->target;
	json_t *mailboxes = json_array();
	for (size_t i = 0; i < listed->subscription_count; i++)
		json_array_append_new(mailboxes, response_text(listed->subscriptions[i].name));
	json_t *json = json_pack("{so,so,so,so,so,si,sb,so}", "user", response_text(target->user),
		"token", response_text(target->token), "account_id",
		response_text(target->account_id), "subtopic", response_text(listed->subtopic),
		"topic", response_text(target->topic), "version", target->aps_version, "confirmed",
		target->confirmed, "mailboxes", mailboxes);
	add_time(json, "created", listed->created_ms);
	add_time(json, "renewed", target->renewed_ms);
	add_time(json, "superseded", listed->superseded_ms);
	add_time(json, "suspended", listed->suspended_ms);
	if (listed->stopped_reason)
		json_object_set_new(json, "stopped_reason", response_text(listed->stopped_reason));
	return json;
}

/* 0 if there is none. */
static int read_time(const json_t *json, const char *key, int64_t *ret_ms, struct err *err)
{
	const json_t *value = json_object_get(json, key);
	if (!value || json_is_null(value))
		return 0;
	double seconds = json_number_value(value);
	if (!json_is_number(value) || !(seconds >= 0 && seconds <= REQUEST_PARAMS_TIME_MAX))
		return err_set(err, -EINVAL, "registration: %s is not a Unix time in seconds", key);
	*ret_ms = (int64_t)(seconds * 1000 + 0.5);
	return 0;
}

static int read_topic(const json_t *json, const char **ret, struct err *err)
{
	const json_t *value = json_object_get(json, "topic");
	const char *topic = json_string_value(value);
	if (!value)
		return err_set(err, -EINVAL,
			"registration: the key topic is missing; give --topic, the aps_topic under "
			"which the phones registered");
	if (!topic || !topics_is_possible(topic, json_string_length(value)))
		return err_set(err, -EINVAL,
			"registration: topic is not 1 to %d visible ASCII characters",
			TOPICS_TOPIC_SIZE - 1);
	*ret = topic;
	return 0;
}

static int read_reason(const json_t *json, const char **ret, struct err *err)
{
	const json_t *value = json_object_get(json, "stopped_reason");
	const char *reason = json_string_value(value);
	if (!value || json_is_null(value))
		return 0;
	bool is_plain = reason && *reason && strlen(reason) <= REGISTRATION_JSON_REASON_MAX;
	for (size_t i = 0; is_plain && reason[i]; i++)
		is_plain = reason[i] >= ' ' && reason[i] <= '~';
	if (!is_plain)
		return err_set(err, -EINVAL,
			"registration: stopped_reason is not 1 to %d ASCII characters",
			REGISTRATION_JSON_REASON_MAX);
	*ret = reason;
	return 0;
}

static int read_state(const json_t *json, struct registration_json *ret, struct err *err)
{
	const json_t *confirmed = json_object_get(json, "confirmed");
	int failed = read_topic(json, &ret->topic, err);
	if (!failed && confirmed && !json_is_boolean(confirmed))
		failed = err_set(err, -EINVAL, "registration: confirmed is neither true nor false");
	ret->confirmed = json_is_true(confirmed);
	if (!failed)
		failed = read_time(json, "renewed", &ret->renewed_ms, err);
	if (!failed)
		failed = read_time(json, "created", &ret->past.created_ms, err);
	if (!failed)
		failed = read_time(json, "superseded", &ret->past.superseded_ms, err);
	if (!failed)
		failed = read_time(json, "suspended", &ret->past.suspended_ms, err);
	if (!failed)
		failed = read_reason(json, &ret->past.stopped_reason, err);
	ret->past.is_undated = ret->renewed_ms == 0;
	if (ret->past.created_ms > ret->renewed_ms)
		ret->past.created_ms = ret->renewed_ms;
	return failed;
}

int registration_json_read(const struct mailbox_namespace *names, const json_t *json,
	struct registration_json *ret, struct err *err)
{
	struct registration_json read = {0};
	if (!json_is_object(json))
		return err_set(err, -EINVAL, "registration: not a JSON object");
	int failed = read_state(json, &read, err);
	if (!failed)
		failed = event_from_registration(names, json, NULL, &read.event, err);
	if (!failed)
		*ret = read;
	return failed;
}

void registration_json_fini(struct registration_json *registration)
{
	event_free(registration->event);
	registration->event = NULL;
}
