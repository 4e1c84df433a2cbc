#include "doctor/doctor_user.h"

#include "base/buf.h"
#include "base/mem.h"
#include "console/format.h"
#include "console/member.h"
#include "event/user_site.h"

#include <ctype.h>
#include <string.h>

#define KEY_SHOWN 12 /* as `mailpushctl devices` shows it */
#define DAY_S 86400.0
/* Characters that need no quotes in a shell. */
#define PLAIN "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@._+-/"
#define OLD_S (7 * DAY_S) /* a phone whose Mail connects renews each day */

static void print_mailboxes(const json_t *device, struct buf *ret)
{
	size_t i;
	json_t *name;
	json_array_foreach(json_object_get(device, "mailboxes"), i, name)
	{
		buf_append_text(ret, i ? ", " : "");
		const char *text = json_string_value(name);
		buf_append_text(ret, text ? text : "");
	}
}

static void judge_mailboxes(struct report *findings, const json_t *device)
{
	buf_auto struct buf names;
	buf_init(&names);
	print_mailboxes(device, &names);
	if (names.used)
		report_add(findings, REPORT_OK, "mailboxes", "registered for %s", buf_text(&names));
	else
		report_add(findings, REPORT_FAIL, "mailboxes",
			"no mailbox is registered, as the mail server knew none that the phone "
			"named; turn "
			"Push off and on for the account on the phone");
}

/* Does it get pushes? */
static bool judge_state(struct report *findings, const json_t *device, double now_s)
{
	char when[FORMAT_SIZE];
	const char *state = member_text(device, "state");
	mem_auto char *key = mem_printf("%.*s", KEY_SHOWN, member_text(device, "key"));
	double renewed = member_number(device, "renewed");
	bool is_resting = !strcmp(state, "stopped") || !strcmp(state, "suspended");
	format_ago(renewed, now_s, when);
	if (json_is_false(json_object_get(device, "push")))
		report_add(findings, REPORT_FAIL, "push",
			"%s gets no pushes, as mailpush.conf says push = no in this user's "
			"user_settings",
			key);
	if (!strcmp(member_text(device, "queue"), "limited"))
		report_add(findings, REPORT_OK, "push",
			"%s has a push that waits, as this user's pushes_per_minute is reached",
			key);
	if (!strcmp(state, "stopped"))
		report_add(findings, REPORT_FAIL, "device",
			"%s gets no pushes since Apple answered %s: open Mail on the phone, which "
			"registers again",
			key, member_text(device, "stopped_reason"));
	else if (!strcmp(state, "suspended"))
		report_add(findings, REPORT_FAIL, "device",
			"%s is suspended, as the account was deleted or renamed on the mail "
			"server: open Mail on the phone, which registers again",
			key);
	else if (!strcmp(state, "superseded"))
		report_add(findings, REPORT_WARN, "device",
			"%s has a newer registration of the same user: this one remains from an "
			"account that was removed and added again, and will expire",
			key);
	else if (now_s - renewed > OLD_S)
		report_add(findings, REPORT_WARN, "device",
			"%s was renewed %s, but Mail renews on each day that it connects: the "
			"phone is off or offline, or the account is no longer set to Push",
			key, when);
	else
		report_add(findings, REPORT_OK, "device", "%s was renewed %s", key, when);
	return !is_resting;
}

static bool has_credential(const json_t *status, const char *topic)
{
	size_t i;
	json_t *credential;
	json_array_foreach(json_object_get(status, "credentials"), i, credential)
	{
		if (json_is_true(json_object_get(credential, "in_force")) &&
			!strcmp(member_text(credential, "topic"), topic))
			return true;
	}
	return false;
}

static bool is_given(const struct doctor_user_topics *topics, const char *topic)
{
	return !strcmp(topic, topics->of_cyrus) || !strcmp(topic, topics->of_dovecot);
}

static void judge_topic(struct report *findings, const json_t *device, const json_t *status,
	const struct doctor_user_topics *topics)
{
	const char *topic = member_text(device, "topic");
	const char *now = *topics->of_cyrus ? topics->of_cyrus : topics->of_dovecot;
	if (!status)
		return;
	if (!has_credential(status, topic))
		report_add(findings, REPORT_FAIL, "topic",
			"the phone listens on %s, for which no credential is in force: add one to "
			"mailpush.conf, or open Mail on the phone, which registers again on the "
			"present topic",
			topic);
	else if (*now && !is_given(topics, topic))
		report_add(findings, REPORT_WARN, "topic",
			"the phone listens on %s, but phones of this user are now given %s: open "
			"Mail on the phone, which registers again",
			topic, now);
}

static void judge_event(struct report *findings, const json_t *device, double now_s)
{
	char when[FORMAT_SIZE];
	const json_t *event = json_object_get(device, "last_event");
	if (json_is_number(event))
		report_add(findings, REPORT_OK, "event", "the last one came %s",
			format_ago(json_number_value(event), now_s, when));
	else
		report_add(findings, REPORT_WARN, "event",
			"none is on record for its mailboxes: send this user a mail, and check "
			"with `mailpushctl events --follow` whether the mail server sends an "
			"event");
}

/* Did Apple accept the last push? */
static bool judge_push(struct report *findings, const json_t *device, double now_s)
{
	char when[FORMAT_SIZE];
	const char *user = member_text(device, "user");
	const json_t *push = json_object_get(device, "last_push");
	double status = member_number(push, "status");
	format_ago(member_number(push, "time"), now_s, when);
	if (!json_is_object(push)) {
		report_add(findings, REPORT_WARN, "push", "none is on record%s",
			*member_text(device, "queue") ? "; one waits: `mailpushctl queue`" : "");
		if (!user[strspn(user, PLAIN)])
			report_run(findings, "mailpushctl push %s", user);
		return false;
	}
	mem_auto char *answer = status > 0
		? mem_printf("its last answer is %.0f %s%s", status, member_text(push, "reason"),
			  status == 200 ? "" : ": ")
		: mem_dup("");
	report_add(findings, status == 200 ? REPORT_OK : REPORT_FAIL, "push",
		"the last one that Apple accepted was %s; %s%s",
		member_number(push, "time") > 0 ? when : "never", answer,
		status == 200 ? "" : member_text(push, "meaning"));
	return status == 200;
}

/* Only the phone knows these. */
static void advise(struct report *findings)
{
	static const char *const advice[] = {
		"Settings > Apps > Mail > Mail Accounts > Fetch New Data: Push is on, and the "
		"account "
		"is set to Push, not Fetch",
		"Settings > Notifications > Mail > Customise Notifications: alerts are on for this "
		"account",
		"Low Power Mode, Low Data Mode and Game Mode are off: Mail does not listen while "
		"they are on",
		"Mail was opened since aps_topic, the certificate or the password changed: it "
		"registers then",
		"a mail makes a sound only if its folder is registered and has notifications on",
	};
	for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++)
		report_add(findings, REPORT_OK, "phone", "if the phone is still silent: %s",
			advice[i]);
}

/* Phones that are no longer registered; returns their number. */
static size_t judge_forgotten(
	struct report *findings, const json_t *forgotten, enum report_level level, double now_s)
{
	size_t i;
	json_t *trace;
	size_t count = 0;
	json_array_foreach((json_t *)forgotten, i, trace)
	{
		char when[FORMAT_SIZE];
		mem_auto char *why = format_forgotten(trace);
		if (json_is_true(json_object_get(trace, "registered_again")))
			continue;
		count++;
		report_add(findings, level, "forgotten",
			"%s is no longer registered; it was forgotten %s: %s; open Mail on the "
			"phone, which registers again if the account is set to Push",
			member_text(trace, "token"),
			format_ago(member_number(trace, "forgotten"), now_s, when), why);
	}
	return count;
}

void doctor_user_judge(struct report *findings, const char *user, const json_t *devices,
	const json_t *forgotten, const json_t *status, const struct doctor_user_topics *topics)
{
	size_t i;
	json_t *device;
	double now_s = member_number(status, "now");
	bool is_taken = false;
	bool has_devices = json_array_size(devices) > 0;
	size_t gone =
		judge_forgotten(findings, forgotten, has_devices ? REPORT_OK : REPORT_FAIL, now_s);
	if (!has_devices && gone)
		return;
	if (!has_devices) {
		const char *site = member_text(status, "dovecot_site");
		bool is_lower = true;
		for (const char *c = user; *c; c++)
			is_lower = is_lower && !isupper((unsigned char)*c);
		report_add(findings, REPORT_FAIL, "user",
			"%s has no registered device: set the account to Push on the phone, choose "
			"one more folder under Pushed Mailboxes, and open Mail, which registers a "
			"changed list at once%s%s%s%s",
			user,
			is_lower ? "; and give the name as the mail server has it (with the "
				   "domain, unless "
				   "it is the default domain)"
				 : "; mail servers have names in lower case",
			*site ? "; users of Dovecot are known as " : "", site,
			*site ? USER_SITE_SEPARATOR "USER" : "");
		return;
	}
	json_array_foreach((json_t *)devices, i, device)
	{
		bool is_pushed_to = judge_state(findings, device, now_s);
		judge_mailboxes(findings, device);
		judge_topic(findings, device, status, topics);
		if (!is_pushed_to)
			continue;
		judge_event(findings, device, now_s);
		is_taken |= judge_push(findings, device, now_s);
	}
	if (is_taken)
		advise(findings);
}

static const json_t *last_of(const json_t *entries, const char *kind)
{
	for (size_t i = json_array_size(entries); i-- > 0;) {
		const json_t *entry = json_array_get(entries, i);
		if (!strcmp(member_text(entry, "kind"), kind))
			return entry;
	}
	return NULL;
}

/* What is wrong is judged by the devices' state; here is how it came about. */
static void tell_entry(struct report *findings, const json_t *entry, const char *name,
	const char *more, double now_s)
{
	char when[FORMAT_SIZE];
	const char *meaning = member_text(entry, "meaning");
	if (entry)
		report_add(findings, REPORT_OK, "trace", "the last %s, %s%s: %s%s%s", name,
			format_ago(member_number(entry, "time"), now_s, when), more,
			member_text(entry, "text"), *meaning ? "; " : "", meaning);
}

void doctor_user_judge_trace(
	struct report *findings, const char *user, const json_t *entries, const json_t *status)
{
	double now_s = member_number(status, "now");
	const json_t *event = last_of(entries, "event");
	const json_t *push = last_of(entries, "push");
	mem_auto char *id = mem_printf(", apns-id %s", member_text(push, "apns_id"));
	tell_entry(findings, event, "event", "", now_s);
	tell_entry(findings, push, "push", id, now_s);
	if ((event || push) && !user[strspn(user, PLAIN)])
		report_add(findings, REPORT_OK, "trace",
			"`mailpushctl trace %s` tells what happened before", user);
}
