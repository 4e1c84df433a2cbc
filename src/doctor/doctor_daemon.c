#include "doctor/doctor_daemon.h"

#include "base/mem.h"
#include "config/config_diff.h"
#include "console/format.h"
#include "console/member.h"

#include <string.h>

#define QUIET_S 600 /* up for so long without an event */

static void judge_alarms(struct report *findings, const json_t *status)
{
	size_t i;
	json_t *alarm;
	const json_t *alarms = json_object_get(status, "alarms");
	json_array_foreach((json_t *)alarms, i, alarm)
	{
		char when[FORMAT_SIZE];
		const char *name = member_text(alarm, "name");
		/* Days are left. */
		bool is_early = !strncmp(name, "credential-expiry:", 18);
		report_add(findings, is_early ? REPORT_WARN : REPORT_FAIL, "alarm",
			"%s, since %s: %s", name,
			format_ago(
				member_number(alarm, "since"), member_number(status, "now"), when),
			member_text(alarm, "text"));
	}
	if (!json_array_size(alarms))
		report_add(findings, REPORT_OK, "alarm", "none is active");
}

static void judge_events(struct report *findings, const json_t *status)
{
	double up_s = member_number(status, "now") - member_number(status, "started");
	double events = member_number(json_object_get(status, "events"), "total");
	const json_t *counters = json_object_get(status, "counters");
	const json_t *by = json_object_get(counters, "rejected_by");
	double rejected = member_number(counters, "rejected");
	if (rejected > 0)
		report_add(findings, REPORT_WARN, "events",
			"rejected at a socket since the start: %.0f; %.0f from senders who are not "
			"allowed (allowed_users, of Dovecot dovecot_users or xaps_clients), %.0f "
			"malformed, %.0f that did not come in whole; see the log",
			rejected, member_number(by, "not_allowed"), member_number(by, "malformed"),
			member_number(by, "incomplete"));
	if (events > 0)
		report_add(findings, REPORT_OK, "events", "%.0f came since the start", events);
	else
		report_add(findings, up_s > QUIET_S ? REPORT_WARN : REPORT_OK, "events",
			"none came since the start: send a mail to a user and run this again");
}

static void judge_registrations(struct report *findings, const json_t *status)
{
	const json_t *registrations = json_object_get(status, "registrations");
	double stopped = member_number(registrations, "stopped");
	if (stopped > 0)
		report_add(findings, REPORT_WARN, "devices",
			"%.0f of %.0f are stopped: Apple said that their token is not for the "
			"topic, so nothing is sent until Mail is opened there; `mailpushctl "
			"devices` lists them",
			stopped, member_number(registrations, "total"));
}

/* Its errors say what to do. */
static void judge_registry(struct report *findings, const json_t *status)
{
	const json_t *registry = json_object_get(json_object_get(status, "databases"), "registry");
	const json_t *connected = json_object_get(registry, "connected");
	const json_t *last_batch = json_object_get(registry, "last_batch");
	char since[FORMAT_SIZE];
	char took[FORMAT_SIZE];
	if (!json_is_boolean(connected))
		return;
	mem_auto char *batch = json_is_number(last_batch)
		? mem_printf(", last batch %s",
			  format_latency(member_number(registry, "last_batch"), took))
		: mem_dup("");
	const char *server = member_text(registry, "server");
	format_ago(member_number(registry, "since"), member_number(status, "now"), since);
	if (json_is_true(connected))
		report_add(findings, REPORT_OK, "registry", "%s at %s, connected since %s%s",
			server, member_text(registry, "host"), since, batch);
	else
		report_add(findings, REPORT_FAIL, "registry",
			"%s%saway since %s%s, events parked: %.0f; %s", server, *server ? ", " : "",
			since, batch, member_number(registry, "parked"),
			member_text(registry, "error"));
}

void doctor_daemon_judge_status(struct report *findings, const json_t *status)
{
	char up[FORMAT_SIZE];
	report_add(findings, REPORT_OK, "daemon", "mailpushd %s is up for %s",
		member_text(status, "version"),
		format_duration(
			member_number(status, "now") - member_number(status, "started"), up));
	judge_alarms(findings, status);
	judge_registry(findings, status);
	judge_events(findings, status);
	judge_registrations(findings, status);
}

static const char *value_in_force(const json_t *in_force, const char *key)
{
	size_t i;
	json_t *setting;
	json_array_foreach(json_object_get(in_force, "settings"), i, setting)
	{
		if (!strcmp(member_text(setting, "key"), key))
			return member_text(setting, "value");
	}
	return NULL;
}

void doctor_daemon_judge_files(struct report *findings, const json_t *status,
	const json_t *in_force, const struct config *config, const struct input_files *sources)
{
	bool is_same = true;
	for (unsigned i = 0; i < config->setting_count; i++) {
		const struct config_setting *setting = &config->settings[i];
		const char *value = value_in_force(in_force, setting->key);
		if (value && !strcmp(value, setting->value))
			continue;
		is_same = false;
		report_add(findings, REPORT_WARN, "settings", "%s is '%s' in %s, but '%s' in force",
			setting->key, setting->value, config->path, value ? value : "");
		report_run(findings, "systemctl %s mailpush",
			config_diff_waits(setting->key) ? "restart" : "reload");
	}
	if (is_same)
		report_add(findings, REPORT_OK, "settings", "%s is in force", config->path);
	if (sources->site && strcmp(sources->site, member_text(status, "site")) != 0) {
		report_add(findings, REPORT_WARN, "site",
			"the registry of mailpushd holds the phones of '%s', but the files now say "
			"'%s': if that is intended, all phones must register again",
			member_text(status, "site"), sources->site);
		report_put(findings, config->path, "site = \"%s\"", member_text(status, "site"));
	}
	if (sources->imapdconf &&
		strcmp(sources->imapdconf->aps_topic, member_text(status, "aps_topic")) != 0) {
		report_add(findings, REPORT_WARN, "aps_topic",
			"mailpushd uses '%s', but %s now says '%s'",
			member_text(status, "aps_topic"), config->imapd_conf,
			sources->imapdconf->aps_topic);
		report_run(findings, "systemctl reload mailpush");
	}
}
