#include "doctor/doctor_apple.h"

#include "base/clock.h"
#include "base/mem.h"
#include "console/member.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SOON_MS (30 * CLOCK_DAY_MS)
#define CONNECT_S 10L

void doctor_apple_judge_topic(struct report *findings, const char *imapd_conf,
	const char *aps_topic, const char *const *topics, size_t topic_count, bool is_complete)
{
	bool is_served = false;
	bool is_for_mail = topics_is_for_mail(aps_topic);
	for (size_t i = 0; i < topic_count; i++)
		is_served = is_served || !strcmp(topics[i], aps_topic);
	if (*aps_topic && is_for_mail && (is_served || !is_complete)) {
		report_add(findings, REPORT_OK, "aps_topic", "%s%s", aps_topic,
			is_served ? "" : ", not compared with what could not be read");
		return;
	}
	if (!*aps_topic)
		report_add(findings, REPORT_FAIL, "aps_topic",
			"is not set, so Cyrus offers no push to phones");
	else if (!is_for_mail)
		report_add(findings, REPORT_FAIL, "aps_topic",
			"iOS Mail does not listen to %s: its topics begin with "
			"com.apple.mobilemail.push. or com.apple.mail.",
			aps_topic);
	else
		report_add(findings, REPORT_FAIL, "aps_topic",
			"no credential is for %s: phones that register get no pushes", aps_topic);
	if (!topic_count)
		return;
	report_put(findings, imapd_conf, "aps_topic: %s", topics[0]);
	report_run(findings, "systemctl restart cyrus-imapd");
}

static enum report_level level_of(const char *name)
{
	return !strcmp(name, "ok") ? REPORT_OK : !strcmp(name, "warn") ? REPORT_WARN : REPORT_FAIL;
}

static void judge_absence(struct report *findings, size_t count)
{
	if (!count)
		report_add(findings, REPORT_FAIL, "credential",
			"none is configured: phones can register, but nothing is pushed; "
			"docs/certificates.md describes how to get one");
}

void doctor_apple_judge_answer(
	struct report *findings, const json_t *answer, const char *imapd_conf)
{
	const json_t *credentials = json_object_get(answer, "credentials");
	const char *topics[CONFIG_CREDENTIALS_MAX];
	size_t count = 0;
	size_t i;
	size_t j;
	json_t *credential;
	json_t *finding;
	json_array_foreach((json_t *)credentials, i, credential)
	{
		json_array_foreach(json_object_get(credential, "findings"), j, finding) report_add(
			findings, level_of(member_text(finding, "level")), "credential", "%s: %s",
			member_text(credential, "name"), member_text(finding, "text"));
		if (*member_text(credential, "topic") && count < CONFIG_CREDENTIALS_MAX)
			topics[count++] = member_text(credential, "topic");
	}
	judge_absence(findings, json_array_size(credentials));
	if (*imapd_conf)
		doctor_apple_judge_topic(findings, imapd_conf, member_text(answer, "aps_topic"),
			topics, count, count == json_array_size(credentials));
}

static void judge_loaded(
	struct report *findings, const struct credential *credential, int64_t now_unix_ms)
{
	struct err err;
	char day[CREDENTIAL_DAY_SIZE];
	for (unsigned i = 0; i < credential->warning_count; i++)
		report_add(findings, REPORT_WARN, "credential", "%s: %s", credential->name,
			credential->warnings[i]);
	if (credential_check_dates(credential, now_unix_ms, &err))
		report_add(
			findings, REPORT_FAIL, "credential", "%s: %s", credential->name, err.text);
	else if (!credential->certificate)
		report_add(findings, REPORT_OK, "credential",
			"%s: a token key, which does not expire", credential->name);
	else
		report_add(findings,
			credential->not_after_unix_ms - now_unix_ms < SOON_MS ? REPORT_WARN
									      : REPORT_OK,
			"credential", "%s: fits its key, is for %s, and expires on %s",
			credential->name, credential->topic, credential_last_day(credential, day));
}

void doctor_apple_judge_files(struct report *findings, const struct config *config,
	const struct input_files *sources, int64_t now_unix_ms)
{
	const char *topics[CONFIG_CREDENTIALS_MAX];
	size_t count = 0;
	bool is_complete = true;
	for (unsigned i = 0; i < sources->credential_count; i++) {
		const struct credential *credential = sources->credentials[i];
		bool is_hidden = sources->credential_status[i] == -EACCES;
		if (credential) {
			judge_loaded(findings, credential, now_unix_ms);
			topics[count++] = credential->topic;
			continue;
		}
		is_complete = false;
		report_add(findings, is_hidden ? REPORT_WARN : REPORT_FAIL, "credential",
			"%s: %s%s", config->credentials[i].name, sources->credential_errors[i].text,
			is_hidden ? " (this user cannot: run mailpushctl doctor as root)" : "");
	}
	judge_absence(findings, sources->credential_count);
	if (sources->imapdconf && *config->imapd_conf)
		doctor_apple_judge_topic(findings, config->imapd_conf,
			sources->imapdconf->aps_topic, topics, count, is_complete);
}

void doctor_apple_judge_host(struct report *findings, const char *path, const char *host)
{
	if (!strstr(host, "sandbox") && !strstr(host, "development"))
		return;
	report_add(findings, REPORT_FAIL, "apns_host",
		"%s is Apple's service for apps in development; it does not know the Mail of any "
		"phone",
		host);
	report_put(findings, path, "apns_host = \"api.push.apple.com\"");
	report_run(findings, "systemctl restart mailpush");
}

/* What a URL has of a host and its port. */
static char *authority(const char *host, unsigned port)
{
	return mem_printf(strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
}

void doctor_apple_reach(struct report *findings, const struct config *config)
{
	const char *trusted = config->apns_ca_file;
	char why[CURL_ERROR_SIZE] = "";
	mem_auto char *apple = authority(config->apns_host, config->apns_port);
	mem_auto char *url = mem_printf("https://%s/", apple);
	mem_auto char *proxy = config->proxy_host
		? authority(config->proxy_host, config->proxy_port)
		: mem_dup("");
	if (*trusted && access(trusted, R_OK) && errno == EACCES) {
		report_add(findings, REPORT_WARN, "apple",
			"%s (apns_ca_file): Permission denied: run mailpushctl doctor as root",
			trusted);
		return;
	}
	CURL *curl = curl_easy_init();
	if (!curl)
		abort(); /* out of memory */
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, CONNECT_S);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
	curl_easy_setopt(curl, CURLOPT_PROXY, proxy);
	curl_easy_setopt(curl, CURLOPT_HTTPPROXYTUNNEL, config->proxy_host ? 1L : 0L);
	if (config->proxy_login)
		curl_easy_setopt(curl, CURLOPT_PROXYUSERPWD, config->proxy_login);
	if (*trusted)
		curl_easy_setopt(curl, CURLOPT_CAINFO, trusted);
	CURLcode code = curl_easy_perform(curl);
	if (code == CURLE_OK)
		report_add(findings, REPORT_OK, "apple",
			"%s port %u can be reached and is trusted; whether it accepts the "
			"credential was not asked, as mailpushd did not answer",
			config->apns_host, config->apns_port);
	else
		report_add(findings, REPORT_FAIL, "apple",
			"%s port %u cannot be reached: %s; check the firewall (or set proxy), the "
			"clock and apns_ca_file",
			config->apns_host, config->apns_port,
			*why ? why : curl_easy_strerror(code));
	curl_easy_cleanup(curl);
}
