#include "flow/keyring.h"

#include "base/alarm.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config_credential.h"
#include "flow/credential_check.h"
#include "flow/delivery.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LOOK_MS CLOCK_HOUR_MS
#define ALARM_NAME_SIZE 101

struct keyring {
	struct keyring_needs needs;
	struct credential *in_force[CONFIG_CREDENTIALS_MAX]; /* by their place in mailpush.conf */
	struct credential *coming[CONFIG_CREDENTIALS_MAX];   /* read, but not valid yet */
	uv_timer_t dates;				     /* when a date is reached next */
};

static void on_dates(uv_timer_t *timer);

struct keyring *keyring_new(const struct keyring_needs *needs)
{
	struct keyring *keyring = mem_alloc_zero(1, sizeof(*keyring));
	keyring->needs = *needs;
	uv_timer_init(needs->loop, &keyring->dates);
	keyring->dates.data = keyring;
	return keyring;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void keyring_free(struct keyring *keyring)
{
	if (!keyring)
		return;
	for (unsigned i = 0; i < CONFIG_CREDENTIALS_MAX; i++) {
		credential_free(keyring->in_force[i]);
		credential_free(keyring->coming[i]);
	}
	uv_close((uv_handle_t *)&keyring->dates, on_closed);
}

static void name_alarm(char ret[ALARM_NAME_SIZE], const char *kind, const char *name)
{
	snprintf(ret, ALARM_NAME_SIZE, "%s:%.80s", kind, name);
}

static void raise_or_clear(const char *kind, const char *name, const char *text)
{
	char alarm[ALARM_NAME_SIZE];
	name_alarm(alarm, kind, name);
	if (text)
		alarm_raise(alarm, "credential \"%s\": %s", name, text);
	else
		alarm_clear(alarm);
}

static void worsen(const char *kind, const char *name, int64_t left_ms)
{
	static const int64_t told_days[] = {14, 7, 3, 1};
	char alarm[ALARM_NAME_SIZE];
	unsigned stage = 0;
	while (stage < sizeof(told_days) / sizeof(told_days[0]) &&
		left_ms < told_days[stage] * CLOCK_DAY_MS)
		stage++;
	name_alarm(alarm, kind, name);
	alarm_worsen(alarm, stage);
}

/* Raises or clears the alarms about the dates of the one in force; returns when they change next.
 */
static int64_t judge_dates(const struct credential *credential, int64_t now_ms)
{
	char text[ERR_TEXT_MAX];
	char day[CREDENTIAL_DAY_SIZE];
	struct err err;
	int64_t left_ms = credential->not_after_unix_ms - now_ms;
	bool is_valid = credential_check_dates(credential, now_ms, &err) == 0;
	bool ends_soon = is_valid && left_ms < KEYRING_WARN_BEFORE_MS;
	if (!is_valid)
		snprintf(text, sizeof(text), "%.400s; its pushes wait", err.text);
	raise_or_clear("credential-dates", credential->name, is_valid ? NULL : text);
	if (left_ms < CLOCK_DAY_MS)
		snprintf(text, sizeof(text), "%s expires in less than a day, on %s; renew it now",
			credential->file, credential_last_day(credential, day));
	else
		snprintf(text, sizeof(text), "%s expires in %" PRId64 " days, on %s; renew it",
			credential->file, left_ms / CLOCK_DAY_MS,
			credential_last_day(credential, day));
	raise_or_clear("credential-expiry", credential->name, ends_soon ? text : NULL);
	if (ends_soon)
		worsen("credential-expiry", credential->name, left_ms);
	if (credential->not_before_unix_ms > now_ms - CREDENTIAL_START_MS)
		return credential->not_before_unix_ms + CREDENTIAL_START_MS - now_ms;
	return is_valid ? left_ms + 1 : LOOK_MS;
}

static void judge_all(struct keyring *keyring)
{
	int64_t now_ms = clock_unix_ms();
	int64_t next_ms = LOOK_MS;
	for (unsigned i = 0; i < CONFIG_CREDENTIALS_MAX; i++) {
		int64_t change_ms = next_ms;
		if (keyring->in_force[i])
			change_ms = judge_dates(keyring->in_force[i], now_ms);
		if (change_ms < next_ms)
			next_ms = change_ms;
		if (keyring->coming[i])
			change_ms = keyring->coming[i]->not_before_unix_ms + CREDENTIAL_START_MS -
				now_ms;
		if (change_ms < next_ms)
			next_ms = change_ms;
	}
	uv_timer_start(&keyring->dates, on_dates, next_ms > 0 ? (uint64_t)next_ms : 1, 0);
}

static void log_taken(const struct credential *credential)
{
	bool is_endless = credential->not_after_unix_ms == INT64_MAX;
	for (unsigned i = 0; i < credential->warning_count; i++)
		log_event(LOG_LEVEL_WARN, "apns", credential->warnings[i],
			log_text("credential", credential->name));
	log_event(LOG_LEVEL_INFO, "apns", "credential in use",
		log_text("credential", credential->name), log_text("topic", credential->topic),
		is_endless ? (struct log_field){0}
			   : log_number("days_left",
				     (credential->not_after_unix_ms - clock_unix_ms()) /
					     CLOCK_DAY_MS));
}

/* Whether the fresh one is better than the one in force; else `err` says why not. */
static bool is_better(
	const struct credential *fresh, const struct credential *before, struct err *err)
{
	int64_t now_ms = clock_unix_ms();
	return !credential_check_dates(fresh, now_ms, err) || !before ||
		credential_validity(before, now_ms) != CREDENTIAL_VALID;
}

static void put_in_force(struct keyring *keyring, unsigned i, struct credential *fresh)
{
	struct credential **in_force = &keyring->in_force[i];
	raise_or_clear("credential-file", keyring->needs.config->credentials[i].name, NULL);
	if (!*in_force || !credential_equal(*in_force, fresh))
		log_taken(fresh);
	credential_free(*in_force);
	*in_force = fresh;
}

/* Returns whether to look again before an alarm is raised. */
static bool take_one(struct keyring *keyring, unsigned i, bool is_patient)
{
	struct input_files *input_files = keyring->needs.input_files;
	const char *name = keyring->needs.config->credentials[i].name;
	struct credential *fresh = mem_steal(input_files->credentials[i]);
	struct credential **in_force = &keyring->in_force[i];
	struct err err = input_files->credential_errors[i];
	if (!fresh && input_files->credential_status[i] == -EKEYREJECTED && is_patient)
		return true;
	credential_free(mem_steal(keyring->coming[i]));
	if (fresh && is_better(fresh, *in_force, &err)) {
		put_in_force(keyring, i, fresh);
		return false;
	}
	if (fresh && credential_validity(fresh, clock_unix_ms()) == CREDENTIAL_NOT_YET)
		keyring->coming[i] = mem_steal(fresh);
	credential_free(fresh);
	raise_or_clear("credential-file", name, err.text);
	if (*in_force)
		log_event(LOG_LEVEL_INFO, "apns", "credential stays in use",
			log_text("credential", name), log_text("topic", (*in_force)->topic));
	return false;
}

static void hand_over(struct keyring *keyring)
{
	struct credential *given[CONFIG_CREDENTIALS_MAX];
	size_t count = 0;
	for (unsigned i = 0; i < CONFIG_CREDENTIALS_MAX; i++) {
		struct credential *credential = keyring->in_force[i];
		bool is_second = false;
		for (size_t j = 0; j < count && credential; j++)
			is_second = is_second || !strcmp(given[j]->topic, credential->topic);
		if (is_second)
			log_event(LOG_LEVEL_ERROR, "apns",
				"two credentials are for one topic; the later one is not used",
				log_text("credential", credential->name),
				log_text("topic", credential->topic));
		else if (credential)
			given[count++] = credential_ref(credential);
	}
	sender_set_credentials(keyring->needs.sender, given, count);
	credential_check_credentials(keyring->needs.credential_check);
}

/* The topic that Cyrus gives to phones must be one that we can push on. */
static void check_topic(const struct keyring_needs *needs)
{
	const char *topic = needs->input_files->imapdconf->aps_topic;
	if (!*needs->config->imapd_conf)
		alarm_clear("aps-topic");
	else if (!*topic)
		alarm_raise("aps-topic",
			"aps_topic is not set in %s, so Cyrus does not offer push to phones",
			needs->config->imapd_conf);
	else if (needs->config->credential_count && !sender_has_credential(needs->sender, topic))
		alarm_raise("aps-topic",
			"aps_topic %s of %s is the topic of no credential: phones that register "
			"now cannot be pushed to",
			topic, needs->config->imapd_conf);
	else
		alarm_clear("aps-topic");
}

/* The files have not changed since they were read, so nobody else looks at them again. */
static void take_coming(struct keyring *keyring)
{
	struct err err;
	for (unsigned i = 0; i < CONFIG_CREDENTIALS_MAX; i++) {
		if (keyring->coming[i] && is_better(keyring->coming[i], keyring->in_force[i], &err))
			put_in_force(keyring, i, mem_steal(keyring->coming[i]));
	}
}

/* One that has become valid has pushes that wait: the sender looks at all of them again. */
static void on_dates(uv_timer_t *timer)
{
	struct keyring *keyring = timer->data;
	take_coming(keyring);
	judge_all(keyring);
	hand_over(keyring);
	check_topic(&keyring->needs);
	delivery_wake(keyring->needs.delivery);
}

static int find_section(const struct config *config, const char *name)
{
	for (unsigned i = 0; i < config->credential_count; i++)
		if (!strcmp(config->credentials[i].name, name))
			return (int)i;
	return -1;
}

void keyring_configure(struct keyring *keyring, const struct config *fresh)
{
	static const char *const kinds[] = {
		"credential-file", "credential-dates", "credential-expiry"};
	const struct config *before = keyring->needs.config;
	struct credential *in_force[CONFIG_CREDENTIALS_MAX] = {NULL};
	struct credential *coming[CONFIG_CREDENTIALS_MAX] = {NULL};
	for (unsigned i = 0; i < before->credential_count; i++) {
		const char *name = before->credentials[i].name;
		int to = find_section(fresh, name);
		if (to >= 0) {
			in_force[to] = keyring->in_force[i];
			coming[to] = keyring->coming[i];
			continue;
		}
		credential_free(keyring->in_force[i]);
		credential_free(keyring->coming[i]);
		for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++)
			raise_or_clear(kinds[kind], name, NULL);
	}
	memcpy(keyring->in_force, in_force, sizeof(in_force));
	memcpy(keyring->coming, coming, sizeof(coming));
}

const char *keyring_topic(const struct keyring *keyring, const char *user, const char *otherwise)
{
	const struct config *config = keyring->needs.config;
	int own = config_credential_of(config, user);
	if (own >= 0)
		return keyring->in_force[own] ? keyring->in_force[own]->topic : "";
	if (*otherwise)
		return otherwise;
	for (unsigned i = 0; i < config->credential_count; i++)
		if (keyring->in_force[i] && !config_credential_has_domains(config, i))
			return keyring->in_force[i]->topic;
	return "";
}

bool keyring_take(struct keyring *keyring, bool is_patient)
{
	const struct config *config = keyring->needs.config;
	bool wants_another_look = false;
	for (unsigned i = 0; i < config->credential_count; i++)
		wants_another_look |= take_one(keyring, i, is_patient);
	if (config->credential_count)
		alarm_clear("no-credential");
	else
		alarm_raise("no-credential",
			"no credential is configured: phones can register, nothing is pushed; add "
			"a credential section to mailpush.conf");
	hand_over(keyring);
	check_topic(&keyring->needs);
	judge_all(keyring);
	return wants_another_look;
}
