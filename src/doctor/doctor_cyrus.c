#include "doctor/doctor_cyrus.h"

#include "base/buf.h"
#include "base/mem.h"
#include "checkup/samepath.h"
#include "config/notify_socket.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define RESTART_CYRUS "systemctl restart cyrus-imapd"
#define SEPARATORS " \t,"
#define BLANKS " \t"
#define DEFAULT_GROUPS "message mailbox"
#define CAPABILITY "XAPPLEPUSHSERVICE"

/* The groups of events that Cyrus has. */
static const char *const groups_of_cyrus[] = {"message", "quota", "flags", "access", "mailbox",
	"subscription", "calendar", "applepushservice"};

static const char *value_of(const struct doctor_cyrus *cyrus, const char *key)
{
	return imapdconf_find(cyrus->conf, key)->value;
}

/* Where a key is to be written: where it stands, or in imapd.conf itself. */
static const char *file_of(const struct doctor_cyrus *cyrus, const char *key)
{
	const char *file = imapdconf_find(cyrus->conf, key)->file;
	return file ? file : cyrus->path;
}

static bool has_word(const char *list, const char *word)
{
	size_t size = strlen(word);
	for (const char *at = list; *(at += strspn(at, SEPARATORS)); at += strcspn(at, SEPARATORS))
		if (strcspn(at, SEPARATORS) == size && !strncasecmp(at, word, size))
			return true;
	return false;
}

static void put(struct report *findings, const struct doctor_cyrus *cyrus, const char *key,
	const char *value)
{
	report_put(findings, file_of(cyrus, key), "%s: %s", key, value);
	report_run(findings, RESTART_CYRUS);
}

static void judge_notifier(struct report *findings, const struct doctor_cyrus *cyrus)
{
	const char *value = value_of(cyrus, "event_notifier");
	if (value && *value) {
		report_add(findings, REPORT_OK, "event_notifier", "%s", value);
		return;
	}
	report_add(findings, REPORT_FAIL, "event_notifier",
		"is not set, so Cyrus emits no events; Cyrus 3.10 and later still offer push to "
		"phones");
	put(findings, cyrus, "event_notifier", "external");
}

/* The first word with which Cyrus does not start: words must be in lower case, with blanks between
 * them. */
static const char *unknown_group(const char *groups, int *ret_size)
{
	for (const char *at = groups; *(at += strspn(at, BLANKS)); at += strcspn(at, BLANKS)) {
		size_t size = strcspn(at, BLANKS);
		bool is_known = false;
		for (size_t i = 0; i < sizeof(groups_of_cyrus) / sizeof(groups_of_cyrus[0]); i++)
			is_known = is_known ||
				(strlen(groups_of_cyrus[i]) == size &&
					!strncmp(at, groups_of_cyrus[i], size));
		*ret_size = (int)size;
		if (!is_known)
			return at;
	}
	return NULL;
}

/*
 * The groups needed, then the other groups of the line, without those that crash Cyrus or do not
 * exist.
 */
static char *wanted_groups(const char *groups)
{
	static const char *const needed[] = {"message", "flags", "mailbox", "applepushservice"};
	buf_auto struct buf text;
	buf_init(&text);
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		buf_append_text(&text, i ? " " : "");
		buf_append_text(&text, needed[i]);
	}
	for (size_t i = 0; i < sizeof(groups_of_cyrus) / sizeof(groups_of_cyrus[0]); i++) {
		if (has_word(buf_text(&text), groups_of_cyrus[i]) ||
			!has_word(groups, groups_of_cyrus[i]) ||
			!strcmp(groups_of_cyrus[i], "quota"))
			continue;
		buf_append_text(&text, " ");
		buf_append_text(&text, groups_of_cyrus[i]);
	}
	return mem_dup(buf_text(&text));
}

static void judge_groups(struct report *findings, const struct doctor_cyrus *cyrus)
{
	static const struct {
		const char *group;
		enum report_level level;
		bool is_wanted;
		const char *why;
	} rules[] = {
		{"applepushservice", REPORT_FAIL, true, "so no phone can register"},
		{"message", REPORT_FAIL, true, "so phones get no push for new mail"},
		{"quota", REPORT_FAIL, false, "which ends lmtpd and imapd of Cyrus"},
		{"mailbox", REPORT_WARN, true,
			"so a deleted account or renamed folder goes unnoticed"},
		{"flags", REPORT_WARN, true,
			"so phones get no push when mail was read or deleted elsewhere"},
	};
	const char *set = value_of(cyrus, "event_groups");
	const char *groups = set ? set : DEFAULT_GROUPS;
	mem_auto char *wanted = wanted_groups(groups);
	int size;
	const char *unknown = unknown_group(groups, &size);
	bool is_fine = true;
	if (unknown) {
		report_add(findings, REPORT_FAIL, "event_groups",
			"has '%.*s', which is not a group of events, so Cyrus does not start "
			"(names are in lower case, with blanks between them)",
			size, unknown);
		put(findings, cyrus, "event_groups", wanted);
		return;
	}
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (has_word(groups, rules[i].group) == rules[i].is_wanted)
			continue;
		is_fine = false;
		report_add(findings, rules[i].level, "event_groups", "%s %s, %s",
			rules[i].is_wanted ? "lacks" : "has", rules[i].group, rules[i].why);
		put(findings, cyrus, "event_groups", wanted);
	}
	if (is_fine)
		report_add(findings, REPORT_OK, "event_groups", "%s", groups);
}

static void judge_exclusions(struct report *findings, const struct doctor_cyrus *cyrus)
{
	const char *flags = value_of(cyrus, "event_exclude_flags");
	const char *folders = value_of(cyrus, "event_exclude_specialuse");
	if (flags && *flags) {
		report_add(findings, REPORT_FAIL, "event_exclude_flags",
			"is set, which ends imapd of Cyrus when such a flag is changed; "
			"remove it");
		report_put(findings, file_of(cyrus, "event_exclude_flags"),
			"#event_exclude_flags: %s", flags);
		report_run(findings, RESTART_CYRUS);
	}
	if (folders && has_word(folders, "ALL")) {
		report_add(findings, REPORT_WARN, "event_exclude_specialuse",
			"is ALL, so phones get pushes only for INBOX");
		put(findings, cyrus, "event_exclude_specialuse", "\\Junk");
	}
}

static void judge_capabilities(struct report *findings, const struct doctor_cyrus *cyrus)
{
	const char *hidden = value_of(cyrus, "suppress_capabilities");
	if (!hidden || !has_word(hidden, CAPABILITY))
		return;
	report_add(findings, REPORT_FAIL, "suppress_capabilities",
		"has " CAPABILITY ", so phones do not see that push is offered; remove it");
	report_put(findings, file_of(cyrus, "suppress_capabilities"), "#suppress_capabilities: %s",
		hidden);
	report_run(findings, RESTART_CYRUS);
}

static void judge_lines(struct report *findings, const struct doctor_cyrus *cyrus)
{
	if (cyrus->conf->doubled)
		report_add(findings, REPORT_FAIL, "imapd.conf",
			"%s; Cyrus does not start with that: keep one line", cyrus->conf->doubled);
	if (cyrus->conf->fatal_line)
		report_add(findings, REPORT_FAIL, "imapd.conf",
			"%s; Cyrus does not start with that: correct or remove the line",
			cyrus->conf->fatal_line);
	if (cyrus->conf->of_one_service)
		report_add(findings, REPORT_WARN, "imapd.conf",
			"%s applies to that service of Cyrus alone and takes precedence over the "
			"line for all, which is examined here: remove it, unless it is intended",
			cyrus->conf->of_one_service);
}

void doctor_cyrus_judge_events(struct report *findings, const struct doctor_cyrus *cyrus)
{
	judge_notifier(findings, cyrus);
	judge_groups(findings, cyrus);
	judge_exclusions(findings, cyrus);
	judge_capabilities(findings, cyrus);
	judge_lines(findings, cyrus);
}

const char *doctor_cyrus_user(const struct imapdconf *conf)
{
	const char *user = imapdconf_find(conf, "cyrus_user")->value;
	return user && *user ? user : "cyrus";
}

/* Where Cyrus sends events, "dlist:/path" or "/path"; free it. */
static char *notifysocket_of(const struct imapdconf *conf)
{
	const char *target = imapdconf_find(conf, "notifysocket")->value;
	const char *folder = imapdconf_find(conf, "configdirectory")->value;
	if (target && *target)
		return mem_dup(target);
	return mem_printf("%s/socket/notify", folder ? folder : "");
}

/* The notifyd of Cyrus that listens there. */
static const struct cyrusconf_service *notifyd_at(
	const struct doctor_cyrus *cyrus, const char *path)
{
	for (unsigned i = 0; cyrus->services && i < cyrus->services->count; i++) {
		const struct cyrusconf_service *service = &cyrus->services->services[i];
		if (cyrusconf_runs(service, "notifyd") && !strcmp(service->listen, path))
			return service;
	}
	return NULL;
}

/* The line that sends events to mailpushd over the best of its sockets. */
static void put_notifysocket(struct report *findings, const struct doctor_cyrus *cyrus)
{
	mem_auto char *target = *cyrus->stream_socket ? mem_printf("dlist:%s", cyrus->stream_socket)
						      : mem_dup(cyrus->notify_socket);
	put(findings, cyrus, "notifysocket", target);
}

/* notifyd uses the event's method if it knows it, and its own method otherwise. */
static const char *method_of(const struct doctor_cyrus *cyrus,
	const struct cyrusconf_service *service, char *room, size_t size)
{
	static const char *const known[] = {"external", "log", "mailto", "null", "zephyr"};
	const char *method = value_of(cyrus, "event_notifier");
	for (size_t i = 0; method && i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcasecmp(method, known[i]))
			return known[i];
	return cyrusconf_option(service, "-m", room, size) ? room : "null";
}

void doctor_cyrus_refuse_program(
	struct report *findings, const struct doctor_cyrus *cyrus, const char *program)
{
	report_add(findings, REPORT_FAIL, "notifyd",
		"of Cyrus gets the events (notifysocket), but runs %s instead of mailpush-notify; "
		"let Cyrus send them to mailpushd itself",
		program);
	put_notifysocket(findings, cyrus);
}

static void judge_notifyd(struct report *findings, const struct doctor_cyrus *cyrus,
	const struct cyrusconf_service *service)
{
	char room[64];
	const char *method = method_of(cyrus, service, room, sizeof(room));
	const char *program = value_of(cyrus, "notify_external");
	if (strcasecmp(method, "external") != 0) {
		report_add(findings, REPORT_FAIL, "notifyd",
			"of Cyrus gets the events and runs no program with them: their method is "
			"%s",
			method);
		put(findings, cyrus, "event_notifier", "external");
	} else if (!program) {
		doctor_cyrus_refuse_program(findings, cyrus, "nothing");
	} else {
		report_add(findings, REPORT_OK, "notifyd",
			"events go through notifyd of Cyrus, which runs %s, one at a time; dlist "
			"to mailpushd itself is faster",
			program);
	}
}

enum doctor_way doctor_cyrus_judge_way(struct report *findings, const struct doctor_cyrus *cyrus)
{
	mem_auto char *target = notifysocket_of(cyrus->conf);
	bool is_dlist;
	const char *path = notify_socket_path(target, &is_dlist);
	const struct cyrusconf_service *notifyd = notifyd_at(cyrus, path);
	if (notifyd && !is_dlist && !samepath(path, cyrus->notify_socket)) {
		judge_notifyd(findings, cyrus, notifyd);
		return DOCTOR_NOTIFYD;
	}
	if (notifyd) {
		report_add(findings, REPORT_FAIL, "notifysocket",
			"%s belongs to both mailpushd and the service %s in %s:%u; the one that "
			"starts later takes it: remove that service",
			path, notifyd->name, cyrus->services_path, notifyd->line);
		return DOCTOR_NO_WAY;
	}
	if (is_dlist && samepath(path, cyrus->stream_socket)) {
		report_add(findings, REPORT_OK, "notifysocket", "%s", target);
		return DOCTOR_DLIST;
	}
	if (!is_dlist && samepath(path, cyrus->notify_socket)) {
		report_add(findings, REPORT_OK, "notifysocket",
			"%s, by datagrams; dlist (stream_socket) would also wait until an event is "
			"safe",
			target);
		return DOCTOR_DATAGRAM;
	}
	if (is_dlist ? samepath(path, cyrus->notify_socket) : samepath(path, cyrus->stream_socket))
		report_add(findings, REPORT_FAIL, "notifysocket",
			"%s is a socket for %s, so Cyrus cannot use it", target,
			is_dlist ? "datagrams, not dlist" : "dlist, not datagrams");
	else
		report_add(findings, REPORT_FAIL, "notifysocket",
			"%s is not a socket of mailpushd%s", target,
			value_of(cyrus, "notifysocket") ? "" : " (it is not set)");
	put_notifysocket(findings, cyrus);
	return DOCTOR_NO_WAY;
}

static void judge_other_classes(struct report *findings, const struct doctor_cyrus *cyrus)
{
	static const char *const keys[] = {"sievenotifier", "mailnotifier"};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *value = value_of(cyrus, keys[i]);
		if (value && *value && !*cyrus->forward_socket)
			report_add(findings, REPORT_WARN, "forward_socket",
				"%s is set, and its notifications go to mailpushd, which drops "
				"them: let mailpushd forward them to Cyrus' own notifyd "
				"(forward_socket in mailpush.conf)",
				keys[i]);
	}
}

/* Where a service's program lies; free it.  A name alone is one in Cyrus' own folder. */
static char *program_of(const struct doctor_cyrus *cyrus, const struct cyrusconf_service *service)
{
	int size = (int)strcspn(service->cmd, BLANKS);
	return *service->cmd == '/' ? mem_printf("%.*s", size, service->cmd)
				    : mem_printf("%s/%.*s", cyrus->programs, size, service->cmd);
}

/* If no service has its program here, Cyrus runs elsewhere, as in a container: no finding. */
static void judge_programs(struct report *findings, const struct doctor_cyrus *cyrus)
{
	const struct cyrusconf *conf = cyrus->services;
	bool is_missing[CYRUSCONF_SERVICES_MAX] = {false};
	bool is_here = false;
	for (unsigned i = 0; conf && i < conf->count; i++) {
		mem_auto char *program = program_of(cyrus, &conf->services[i]);
		bool is_found = !access(program, F_OK);
		is_missing[i] = !is_found && errno == ENOENT;
		is_here = is_here || is_found;
	}
	for (unsigned i = 0; is_here && i < conf->count; i++) {
		const struct cyrusconf_service *service = &conf->services[i];
		if (!is_missing[i])
			continue;
		mem_auto char *program = program_of(cyrus, service);
		report_add(findings, REPORT_FAIL, "cyrus.conf",
			"service %s (%s:%u) runs %s, which is not installed, so Cyrus does not "
			"start (its master exits with 78): install it, or put # before the line",
			service->name, cyrus->services_path, service->line, program);
	}
}

void doctor_cyrus_judge_services(struct report *findings, const struct doctor_cyrus *cyrus)
{
	judge_other_classes(findings, cyrus);
	judge_programs(findings, cyrus);
	for (unsigned i = 0; cyrus->services && i < cyrus->services->count; i++) {
		const struct cyrusconf_service *service = &cyrus->services->services[i];
		char other[PATH_MAX] = "/etc/imapd.conf";
		if (!cyrusconf_runs(service, "imapd") && !cyrusconf_runs(service, "lmtpd"))
			continue;
		cyrusconf_option(service, "-C", other, sizeof(other));
		if (strcmp(other, cyrus->path) != 0)
			report_add(findings, REPORT_WARN, "cyrus.conf",
				"service %s (%s:%u) reads %s, not %s: give its cmd -C %s, or set "
				"imapd_conf in mailpush.conf",
				service->name, cyrus->services_path, service->line, other,
				cyrus->path, cyrus->path);
	}
}

void doctor_cyrus_judge_site(struct report *findings, const struct doctor_cyrus *cyrus)
{
	const char *name = value_of(cyrus, "servername");
	if (*cyrus->site)
		report_add(findings, REPORT_OK, "site", "%s, by mailpush.conf", cyrus->site);
	else if (name && *name)
		report_add(findings, REPORT_OK, "site", "%s, by servername in imapd.conf", name);
	else
		report_add(findings, REPORT_OK, "site",
			"is the host's name; set it as `site` in mailpush.conf before you rename "
			"the host, or all phones must register again");
}

void doctor_cyrus_judge_greeting(struct report *findings, const struct greeting *greeting)
{
	if (greeting->offers_push) {
		report_add(findings, REPORT_OK, "imap", "Cyrus offers push to phones");
	} else {
		report_add(findings, REPORT_FAIL, "imap",
			"the running Cyrus does not offer XAPPLEPUSHSERVICE; restart it once "
			"imapd.conf is right");
		report_run(findings, RESTART_CYRUS);
	}
	if (greeting_hole(greeting) == GREETING_CLOSED)
		report_add(findings, REPORT_OK, "version", "Cyrus %u.%u.%u", greeting->major,
			greeting->minor, greeting->patch);
	else if (greeting_hole(greeting) == GREETING_OPEN)
		report_add(findings, REPORT_WARN, "version",
			"Cyrus %u.%u.%u lets users register the mailboxes of others "
			"(CVE-2026-47081); update it",
			greeting->major, greeting->minor, greeting->patch);
	else
		report_add(findings, REPORT_OK, "version",
			"Cyrus does not say whether CVE-2026-47081 is fixed in it: it is in 3.8.7, "
			"3.10.3, 3.12.3, 3.13.7 and Debian's deb12u5 and deb13u2");
}
